"""Hostile archives and tensors: no read exceeds the size of the file or of a storage."""

import zipfile
from collections import OrderedDict

import pytest
import torch

from tests.helpers.hostile_checkpoints import Call, Kept, archive, pickled, refused


def test_compressed_archive_is_rejected(tmp_path):
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 10**6), 0, (10**6,), (1,), False, OrderedDict()
    )
    path = archive(
        tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(4 * 10**6)}, compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 10**5 and "is compressed" in refused(path, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_archive_entries_are_rejected(tmp_path):
    path = archive(tmp_path / "net.pt", pickled({}), {"0": b"one"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/data/0", b"two")
    assert "overlap" in refused(path, tmp_path)


def test_entries_differing_only_in_case_are_rejected(tmp_path):
    """torch's reader takes the one for the other."""
    path = archive(tmp_path / "net.pt", pickled({}), {"0": b"one"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/DATA.pkl", pickled(print))
    assert "overlap" in refused(path, tmp_path)


@pytest.mark.parametrize("numel", [5, 10**6])
def test_oversized_storages_are_rejected(numel, tmp_path):
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", numel), 0, (4,), (1,), False, OrderedDict()
    )
    path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
    assert f"has 16 bytes for {numel} elements" in refused(path, tmp_path)
    legacy = b"".join(map(pickled, (0x1950A86A20F9469CFC6C, 1001, {}, {"w": tensor}, ["0"])))
    path.write_bytes(legacy + (4).to_bytes(8, "little") + bytes(16))
    assert "it is truncated" in refused(path, tmp_path)


@pytest.mark.parametrize("key", ["../data.pkl", "../../../../etc/passwd", "/etc/passwd", "1", "\x1b[2J"])
def test_storages_are_read_from_the_archive_only(key, tmp_path):
    tensor = Call(torch._utils._rebuild_tensor_v2, Kept(torch.ByteStorage, key, 4), 0, (4,), (1,), False, OrderedDict())
    said = refused(archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)}), tmp_path)
    assert said.isprintable() and ("is missing" in said or "bytes for 4 elements" in said)


@pytest.mark.parametrize(
    "numel, offset, shape, stride",
    [
        (4, 0, (5,), (1,)),
        (4, 1, (4,), (1,)),
        (4, 0, (2, 2), (3, 1)),
        (4, 0, (2**40,), (0,)),
        (4, -1, (2,), (1,)),
        (4, 0, (-4,), (1,)),
        (4, 0, (2,), (-1,)),
        (4, 0, (4,), ()),
        (4, 0, (2**62, 2**62), (1, 1)),
        (4, 0, (1.5,), (1,)),
        (5, 0, (5,), (1,)),
        (2**60, 0, (4,), (1,)),
        (-1, 0, (1,), (1,)),
        (4, 0, (1,) * 40, (1,) * 40),
    ],
)
def test_tensors_beyond_their_storage_are_rejected(numel, offset, shape, stride, tmp_path):
    tensor = Call(
        torch._utils._rebuild_tensor_v2,
        Kept(torch.FloatStorage, "0", numel),
        offset,
        shape,
        stride,
        False,
        OrderedDict(),
    )
    path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
    said = refused(path, tmp_path)
    assert "an invalid call of torch._utils._rebuild_tensor_v2" in said or "cannot be read as a torch.save file" in said


def test_invalid_and_huge_tensor_arguments_are_rejected(tmp_path):
    endless = ()
    for _ in range(60):
        endless = (endless, endless)
    for offset, shape in ((endless, (4,)), (0, (endless,))):
        tensor = Call(
            torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 4), offset, shape, (1,), False, OrderedDict()
        )
        path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
        assert "invalid offset, shape or stride" in refused(path, tmp_path)
