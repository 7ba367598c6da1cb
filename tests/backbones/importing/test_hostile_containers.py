"""Archives and tensors made to be believed: nothing is unpacked beyond its size, nor read beyond its storage."""

import zipfile
from collections import OrderedDict

import pytest
import torch

from tests.helpers.hostile_checkpoints import Call, Kept, archive, pickled, refused


def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path):
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 10**6), 0, (10**6,), (1,), False, OrderedDict()
    )
    path = archive(
        tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(4 * 10**6)}, compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 10**5 and "is compressed" in refused(path, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_are_there_twice(tmp_path):
    path = archive(tmp_path / "net.pt", pickled({}), {"0": b"one"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/data/0", b"two")
    assert "overlap" in refused(path, tmp_path)


def test_entries_whose_names_differ_in_case_alone(tmp_path):
    """torch's reader takes the one for the other."""
    path = archive(tmp_path / "net.pt", pickled({}), {"0": b"one"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/DATA.pkl", pickled(print))
    assert "overlap" in refused(path, tmp_path)


@pytest.mark.parametrize("numel", [5, 10**6])
def test_storages_that_claim_more_than_is_there(numel, tmp_path):
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", numel), 0, (4,), (1,), False, OrderedDict()
    )
    path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
    assert f"has 16 bytes for {numel} elements" in refused(path, tmp_path)
    legacy = b"".join(map(pickled, (0x1950A86A20F9469CFC6C, 1001, {}, {"w": tensor}, ["0"])))
    path.write_bytes(legacy + (4).to_bytes(8, "little") + bytes(16))
    assert "it is truncated" in refused(path, tmp_path)


@pytest.mark.parametrize("key", ["../data.pkl", "../../../../etc/passwd", "/etc/passwd", "1", "\x1b[2J"])
def test_storages_are_looked_for_in_the_file_alone(key, tmp_path):
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
def test_tensors_beyond_their_storage(numel, offset, shape, stride, tmp_path):
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


def test_numbers_of_a_tensor_that_are_none_and_without_end(tmp_path):
    endless = ()
    for _ in range(60):
        endless = (endless, endless)
    for offset, shape in ((endless, (4,)), (0, (endless,))):
        tensor = Call(
            torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 4), offset, shape, (1,), False, OrderedDict()
        )
        path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
        assert "invalid offset, shape or stride" in refused(path, tmp_path)
