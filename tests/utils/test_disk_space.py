"""A full disk is named: the one of the output, or the one of temporary files."""

import errno
import math
import os
import tempfile
from types import SimpleNamespace

import pytest

from harness.export.quiet import conversion
from harness.utils import disk_space
from harness.utils.disk_space import full_disk
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write, atomic_write_dir

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def room(monkeypatch, tmp_path):
    """The free bytes of two disks, that of temporary files and that of everything else."""
    free = {"temporary": 1e10, "other": 1e10}
    monkeypatch.setattr(tempfile, "tempdir", "/dev")
    if os.stat("/dev").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev is no other device")
    monkeypatch.setattr(disk_space, "_free_bytes", lambda path: free["temporary" if str(path) == "/dev" else "other"])
    return free


def test_full_disk_of_the_output(room, tmp_path):
    room["other"] = 3e4  # after what did not fit was removed
    refused = pytest.raises(FramelightError, match=f"^cannot write {tmp_path}/a: the disk is full; free some space")
    with refused, atomic_write(tmp_path / "a"):
        raise FULL


def test_full_disk_of_temporary_files(room, tmp_path):
    room["temporary"] = 0.0
    refused = pytest.raises(FramelightError, match=r"folder of temporary files, /dev, is full; .* set TMPDIR")
    with refused, atomic_write_dir(tmp_path / "new" / "a"):
        raise FULL


def test_full_disk_of_an_output_behind_a_broken_link(room, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("link", "link/a", "loop"):
        assert full_disk(tmp_path / name)[0] == "the disk is full"


def test_errors_of_libraries_that_mean_a_full_disk(room, tmp_path):
    with pytest.raises(FramelightError, match="the disk is full"), atomic_write(tmp_path / "a"):
        raise RuntimeError("IoError(Os { code: 28, kind: StorageFull, message: 'No space left on device' })")
    with pytest.raises(RuntimeError, match="another"), atomic_write(tmp_path / "a"):
        raise RuntimeError("another")
    network = SimpleNamespace(backbone=SimpleNamespace(label="tiny"))
    refused = pytest.raises(FramelightError, match="the disk is full")
    with refused, atomic_write_dir(tmp_path / "a"), conversion(network, "onnx", "float32"):
        raise FULL


@pytest.mark.parametrize(
    "status, room",
    [
        ({"f_bavail": 7, "f_favail": 900}, 7 * 4096),
        ({"f_bavail": 7, "f_favail": 2}, 2 * 4096),
        ({"f_bavail": 7, "f_favail": 0, "f_files": 0}, 7 * 4096),  # btrfs counts no files
        ({"f_bavail": 0, "f_favail": 0, "f_files": 0, "f_blocks": 0}, math.inf),
    ],
)
def test_room_is_that_of_bytes_or_files(monkeypatch, status, room):
    full = {"f_blocks": 10, "f_files": 1000, "f_bsize": 4096, "f_frsize": 4096} | status
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**full))
    assert disk_space._free_bytes("/") == room


def test_a_device_without_files_has_room():
    assert disk_space._free_bytes("/dev") >= 0 and full_disk()[0].endswith("is full")
