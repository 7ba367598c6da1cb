"""A full disk is named: the one of the output, or the one of temporary files."""

import errno
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
def shares(monkeypatch, tmp_path):
    """The free shares of two disks, that of temporary files and that of everything else."""
    free = {"temporary": 0.5, "other": 0.5}
    monkeypatch.setattr(tempfile, "tempdir", "/dev")
    if os.stat("/dev").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev is no other device")
    monkeypatch.setattr(disk_space, "_free_share", lambda path: free["temporary" if str(path) == "/dev" else "other"])
    return free


def test_full_disk_of_the_output(shares, tmp_path):
    shares["other"] = 0.0
    refused = pytest.raises(FramelightError, match=f"^cannot write {tmp_path}/a: the disk is full; free some space")
    with refused, atomic_write(tmp_path / "a"):
        raise FULL


def test_full_disk_of_temporary_files(shares, tmp_path):
    shares["temporary"] = 0.0
    refused = pytest.raises(FramelightError, match=r"folder of temporary files, /dev, is full; .* set TMPDIR")
    with refused, atomic_write_dir(tmp_path / "new" / "a"):
        raise FULL


def test_errors_of_libraries_that_mean_a_full_disk(shares, tmp_path):
    with pytest.raises(FramelightError, match="the disk is full"), atomic_write(tmp_path / "a"):
        raise RuntimeError("IoError(Os { code: 28, kind: StorageFull, message: 'No space left on device' })")
    with pytest.raises(RuntimeError, match="another"), atomic_write(tmp_path / "a"):
        raise RuntimeError("another")
    network = SimpleNamespace(backbone=SimpleNamespace(label="tiny"))
    refused = pytest.raises(FramelightError, match="the disk is full")
    with refused, atomic_write_dir(tmp_path / "a"), conversion(network, "onnx", "float32"):
        raise FULL


def test_a_device_without_files_has_room():
    assert 0 <= disk_space._free_share("/dev") <= 1 and full_disk()[0].endswith("is full")
