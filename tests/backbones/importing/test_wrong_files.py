"""Invalid weights files: one error message each, and no entry."""

import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import backbones
from backbones import BackboneError
from tests.backbones.importing.conftest import CLASSES
from tests.helpers.onnx_imports import HSEMOTION


def altered(state, change):
    state = dict(state)
    change(state)
    return state


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("fold.0.weight"), r"1 tensor does not fit \(fold.0.weight: absent in the file, 160x1x4x4"),
        (lambda s: s.update(more=torch.ones(3)), r"\(more: 3 in the file, absent expected"),
        (lambda s: s.update({"body.0.0.weight": torch.ones(24, 1, 5, 5)}), r"body.0.0.weight: 24x1x5x5 in the file"),
        (lambda s: s.update({"classifier.bias": torch.ones(4)}), r"classifier.bias: 4 in the file, 3 expected"),
        (lambda s: s.pop("classifier.bias"), r"classifier.bias: absent in the file, 3 expected"),
        (
            lambda s: s.update({"classifier.weight": torch.ones(3, 64)}),
            r"classifier.weight: 3x64 in the file, 3x128 exp",
        ),
        (lambda s: s["fold.0.weight"].fill_(float("nan")), r"non-finite values in 1 tensor: fold.0.weight"),
    ],
)
@pytest.mark.parametrize("architecture", ["tiny_mobilenet", None])
def test_mismatched_tensors_are_listed(change, message, architecture, state, entries, tmp_path):
    torch.save(altered(state, change), tmp_path / "w.pt")
    with pytest.raises(BackboneError, match=message):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, architecture, options=HSEMOTION)
    assert not entries.exists()


def test_integer_tensors_are_rejected(state, entries, tmp_path):
    """torch would copy them, scale and all lost."""
    weight = state["fold.0.weight"]
    for kind, name in ((torch.int8, "int8"), (torch.complex64, "complex64")):
        save_file({**state, "fold.0.weight": weight.to(kind)}, tmp_path / "w.safetensors")
        with pytest.raises(BackboneError, match=f"fold.0.weight: 160x1x4x4 of {name} in the file, .* of float32 exp"):
            backbones.import_file(tmp_path / "w.safetensors", "mine", entries, "tiny_mobilenet", options=HSEMOTION)
    assert not entries.exists()


def test_files_without_tensor(entries, tmp_path):
    save_file({}, tmp_path / "none.safetensors")
    torch.save(nn.Sequential(nn.ReLU()), tmp_path / "none.pt")
    for name in ("none.safetensors", "none.pt"):
        with pytest.raises(BackboneError, match="contains no tensors"):
            backbones.import_file(tmp_path / name, "mine", entries, options=HSEMOTION)


def test_unknown_architecture_raises(entries, tmp_path):
    torch.save(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).state_dict(), tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="or another known architecture.*--architecture ARCH"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, options=HSEMOTION)


@pytest.mark.parametrize("form", ["zip", "older", "safetensors"])
def test_truncated_and_damaged_files(form, state, entries, tmp_path):
    path = tmp_path / "w.pt"
    save_file(state, path) if form == "safetensors" else torch.save(
        state, path, _use_new_zipfile_serialization=form == "zip"
    )
    whole = path.read_bytes()
    for share in (0, 0.0001, 0.02, 0.2, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BackboneError, match=re.escape(str(path))) as error:
            backbones.import_file(path, "mine", entries, "tiny_mobilenet", CLASSES, options=HSEMOTION)
        assert not re.search(r"\d{6}|not a zip", str(error.value).removeprefix(str(path)))
    if form == "zip":
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(BackboneError, match=r"damaged \(Bad CRC-32"):
            backbones.import_file(path, "mine", entries, "tiny_mobilenet", CLASSES, options=HSEMOTION)
    assert not entries.exists()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "empty"),
        (b"hello, these are no weights", "in an unknown format"),
        (b"\x89HDF\r\n\x1a\n1234", "Keras"),
        (b"PK\x03\x04 and no more", "archive is truncated"),
        (b"\x80\x02}q\x00.", "not written by torch.save"),
        (b"\x08\x07hello", "in an unknown format"),
    ],
)
def test_files_of_other_kinds(data, message, entries, tmp_path):
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(BackboneError, match=message):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, options=HSEMOTION)


def test_other_files_without_network(state, entries, tmp_path):
    for value, message in (
        ({"epoch": 3, "loss": 0.5}, "no state dict, but epoch, loss"),
        ([1, 2], "no network"),
        ({}, "no network"),
        (torch.ones(3), "no network"),
    ):
        torch.save(value, tmp_path / "w.pt")
        with pytest.raises(BackboneError, match=message):
            backbones.import_file(tmp_path / "w.pt", "mine", entries, options=HSEMOTION)
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="TorchScript"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, options=HSEMOTION)
    for path in (tmp_path, tmp_path / "nothing.pt"):
        with pytest.raises(BackboneError, match="cannot be read"):
            backbones.import_file(path, "mine", entries, options=HSEMOTION)


def test_importing_again(state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    first = backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION)
    written = (first / "card.json").stat().st_mtime_ns
    assert backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION) == first
    assert (first / "card.json").stat().st_mtime_ns == written
    with pytest.raises(BackboneError, match="already exists in .* with different classes"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=("a", "b", "c"), options=HSEMOTION)
    torch.save(altered(state, lambda s: s["fold.0.weight"].add_(1)), tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="'mine' already exists in .* with different weights hash"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION)


def test_same_tensors_with_other_architecture_are_another_backbone(entries, tmp_path):
    """With and without TensorFlow's padding, EfficientNet-B0 has the same tensors."""
    save_file(backbones.build("efficientnet_b0", ()).network.state_dict(), tmp_path / "w.safetensors")
    backbones.import_file(tmp_path / "w.safetensors", "mine", entries, "tf_efficientnet_b0", options=HSEMOTION)
    with pytest.raises(BackboneError, match="'mine' already exists in .* with different architecture"):
        backbones.import_file(tmp_path / "w.safetensors", "mine", entries, "timm:efficientnet_b0", options=HSEMOTION)


@pytest.mark.parametrize("trainings", [1, 2])
def test_name_of_trained_backbone_is_rejected(trainings, tiny, state, entries, tmp_path):
    for number in range(trainings):
        backbones.save_checkpoint(entries / f"mine-{number}", tiny, {"name": "mine"})
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="'mine' is already the name of the trained backbone mine-0 in"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION)


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "a@b", "timm:x", "vggface", "random", "import", "ä ö"])
def test_invalid_entry_names_are_rejected(name, state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="not a valid name|a reserved name"):
        backbones.import_file(tmp_path / "w.pt", name, entries, options=HSEMOTION)
    assert not entries.exists()


@pytest.mark.parametrize("key", ["w\x1b[2J", "w" * 1000])
@pytest.mark.parametrize("write", [torch.save, save_file])
def test_control_characters_in_tensor_names_are_escaped(key, write, entries, tmp_path):
    write({key: torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="tensors with invalid names"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, options=HSEMOTION)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "a", "b"), ("a", "", "b"), ("a", "b", "\x1b[2J")])
def test_wrong_class_names_are_rejected(classes, state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="give one class name per column"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=classes, options=HSEMOTION)


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2"])
def test_values_that_need_a_scale_are_refused(tmp_path, kind):
    state = backbones.build("tiny_resnet").network.state_dict()
    state = {name: t.to(getattr(torch, kind)) if t.is_floating_point() else t for name, t in state.items()}
    path = tmp_path / "small.safetensors"
    save_file(state, path)
    with pytest.raises(BackboneError, match=f"contains tensors of {kind}, such as .* not supported; save"):
        backbones.import_file(path, "mine", tmp_path, options=HSEMOTION)
