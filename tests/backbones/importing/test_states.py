"""State dicts, safetensors and Lightning checkpoints."""

import argparse
import functools
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from lightning_fabric.utilities.data import AttributeDict
from safetensors.torch import save_file
from torch import nn

import backbones
from backbones import AFFECTNET, BackboneError, ImportOptions
from backbones.importing.torch_files import read_torch_file
from harness.training.fit import OptimizerConfig, Selection
from harness.training.lightning_module import FrameModel
from harness.training.losses import BlockLosses, CrossEntropy
from harness.training.trainer import fit
from tests.backbones.importing.conftest import CLASSES
from tests.helpers.hostile_checkpoints import Call, Kept, archive, pickled
from tests.helpers.onnx_imports import HSEMOTION


def outputs(network, size=64):
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network(pixels)


def assert_equal(network, other, size=64):
    for one, two in zip(outputs(network, size), outputs(other, size)):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


WRITERS = {
    "state dict": lambda state, path: torch.save(state, path),
    "older format": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "safetensors": save_file,
    "data parallel": lambda state, path: torch.save({f"module.{name}": t for name, t in state.items()}, path),
    "compiled, in a model": lambda state, path: torch.save({f"_orig_mod.model.{k}": t for k, t in state.items()}, path),
    "a training's": lambda state, path: torch.save(
        {"epoch": 3, "state_dict": OrderedDict(state), "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, path
    ),
    "with parameters": lambda state, path: torch.save(
        {name: nn.Parameter(tensor) if tensor.is_floating_point() else tensor for name, tensor in state.items()}, path
    ),
}


@pytest.mark.parametrize("form", WRITERS)
def test_state_dict_variants(form, tiny, state, entries, tmp_path):
    WRITERS[form](state, tmp_path / "weights.bin")
    backbones.import_file(tmp_path / "weights.bin", "mine", entries, classes=CLASSES, options=HSEMOTION)
    loaded = backbones.load("mine", entries)
    assert loaded.spec.name == "tiny_mobilenet" and loaded.score_labels == CLASSES
    assert loaded.weights_hash == tiny.weights_hash
    assert_equal(loaded, tiny)


def test_timm_weights_keep_timm_preprocessing(entries, tmp_path, logged):
    network = timm.create_model("resnet18", num_classes=12).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    backbones.import_file(
        tmp_path / "w.safetensors", "mine", entries, "resnet18", options=ImportOptions(like="imagenet")
    )
    loaded = backbones.load("mine", entries)
    assert loaded.spec.name == "timm:resnet18" and loaded.score_labels == () and loaded.score_width == 12
    assert loaded.spec.preprocessing == backbones.spec("timm:resnet18").preprocessing
    torch.testing.assert_close(outputs(loaded, 224)[1], outputs(network, 224))
    assert any("timm:resnet18" in line for line in logged) and any("512" in line for line in logged)


@pytest.mark.parametrize("named", [None, "tf_efficientnet_b0_ns", "tf_efficientnet_b0.ns_jft_in1k", "efficientnet_b0"])
def test_identity_weights_without_classifier_give_embeddings_alone(named, entries, tmp_path, logged):
    """`state_vggface2_enet0_new.pt`: the state dict of tf_efficientnet_b0_ns less its classifier."""
    network = timm.create_model("tf_efficientnet_b0", num_classes=0).eval()
    torch.save(network.state_dict(), tmp_path / "state_vggface2_enet0_new.pt")
    backbones.import_file(tmp_path / "state_vggface2_enet0_new.pt", "faces", entries, named, options=HSEMOTION)
    assert any("not efficientnet_b0, which has the same tensors" in line for line in logged) == (named is None)
    loaded = backbones.load("faces", entries)
    embedding, scores = outputs(loaded, 224)
    torch.testing.assert_close(embedding, outputs(network, 224))
    assert loaded.spec.name == "efficientnet_b0" and loaded.spec.input_size == 224
    assert scores.shape == (2, 0) and loaded.score_width == 0 and loaded.score_labels == ()
    assert backbones.get_info("faces", entries) == loaded.info()
    loaded.set_classes(AFFECTNET)
    assert outputs(loaded, 224)[1].shape == (2, 8)


@pytest.mark.parametrize("name, size", [("tiny_resnet", 64), ("mobilefacenet", 112)])
def test_project_networks_without_classifier(name, size, entries, tmp_path):
    network = backbones.build(name, ())
    torch.save(network.network.state_dict(), tmp_path / "w.pt")
    backbones.import_file(tmp_path / "w.pt", "faces", entries, options=HSEMOTION)
    loaded = backbones.load("faces", entries)
    assert loaded.spec.name == name and outputs(loaded, size)[1].shape == (2, 0)
    assert_equal(loaded, network, size)


def test_lightning_checkpoint_of_this_project(tiny, entries, tmp_path, logged):
    """The network of the best epoch, next to heads and losses."""
    pixels = torch.randn(24, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    targets = {"class": (torch.arange(24) % 3, torch.ones(24, dtype=torch.bool))}
    values = iter((0.2, 0.9, 0.5))
    losses = BlockLosses({"class": CrossEntropy(np.ones(3))}, {"class": slice(0, 3)})
    model = FrameModel(
        nn.Linear(3, 3),
        losses,
        OptimizerConfig(3, 24, 1e-2),
        tiny,
        "scores",
        Selection(lambda part: [pixels[part.index :: part.of]], lambda logits: next(values)),
    )
    fitted = fit(model, lambda epoch, part: [(pixels, targets)], checkpoint=tmp_path / "last.ckpt")
    assert fitted.epoch == 2
    backbones.import_file(tmp_path / "last.ckpt", "mine", entries)
    loaded, best = backbones.load("mine", entries), fitted.state
    kept = loaded.network.state_dict()
    assert all(torch.equal(kept[name], best[f"backbone.network.{name}"]) for name in kept)
    assert any("head.weight" in line for line in logged)
    assert loaded.score_labels == tiny.score_labels and loaded.spec.preprocessing == tiny.spec.preprocessing
    assert backbones.read_card(entries / "mine")["file_format"] == "Lightning checkpoint"


def test_checkpoint_with_hyperparameters(state, entries, tmp_path):
    """What Lightning and people put beside the weights: dictionaries of its own, numpy numbers, paths, partials."""
    beside = {
        "hyper_parameters": AttributeDict(lr=np.float32(1e-3), rates=np.float64(2), path=Path("a")),
        "arguments": argparse.Namespace(device=torch.device("cpu"), kind=torch.float16, known=frozenset({1})),
        "make": functools.partial(nn.Linear, 2),
        "counts": defaultdict(list, a=[1]),
        "bytes": b"abc",
    }
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.6.0", **beside}, tmp_path / "last.ckpt")
    backbones.import_file(tmp_path / "last.ckpt", "mine", entries, classes=CLASSES, options=HSEMOTION)
    assert backbones.read_card(entries / "mine")["file_format"] == "Lightning checkpoint"


def test_checkpoint_metadata_is_used(tiny, state, entries, tmp_path):
    about = {
        "architecture": "tiny_mobilenet",
        "classes": list(CLASSES),
        "preprocessing": {**tiny.spec.preprocessing.as_dict(), "mean": [0.25, 0.5, 0.75]},
    }
    torch.save(
        {
            "state_dict": {f"backbone.network.{name}": tensor for name, tensor in state.items()},
            "pytorch-lightning_version": "2.6.0",
            "framelight": {"backbone": about},
        },
        tmp_path / "last.ckpt",
    )
    backbones.import_file(tmp_path / "last.ckpt", "mine", entries)
    loaded = backbones.load("mine", entries)
    assert loaded.score_labels == CLASSES and loaded.spec.preprocessing.mean == (0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    "preprocessing, message",
    [
        ({"input_size": 10**9}, "input size"),
        ({"input_size": "64"}, "input size"),
        ({"std": [1.0, 0.0, 1.0]}, "positive"),
        ({"mean": [0.5, 0.5]}, "three numbers"),
        ({"mean": ["0", 0.5, 0.5]}, "three numbers"),
    ],
)
def test_invalid_preprocessing_is_rejected(preprocessing, message, tiny, state, entries, tmp_path):
    about = {**tiny.about(), "preprocessing": {**tiny.spec.preprocessing.as_dict(), **preprocessing}}
    torch.save(
        {
            "state_dict": {f"backbone.network.{name}": tensor for name, tensor in state.items()},
            "pytorch-lightning_version": "2.6.0",
            "framelight": {"backbone": about},
        },
        tmp_path / "last.ckpt",
    )
    with pytest.raises(BackboneError, match=message):
        backbones.import_file(tmp_path / "last.ckpt", "mine", entries)
    assert not entries.exists()


def test_assumed_padding_is_reported(entries, tmp_path, logged):
    for model, other in (("mobilenetv3_large_100", "tf_mobilenetv3_large_100"), ("resnet18", None)):
        save_file(timm.create_model(model, num_classes=0).state_dict(), tmp_path / "w.safetensors")
        logged.clear()
        backbones.import_file(tmp_path / "w.safetensors", model, entries, options=HSEMOTION)
        assert any(f"not {other}, which has the same tensors" in line for line in logged) == (other is not None)
        assert any("has the same tensors" in line for line in logged) == (other is not None)


def test_half_precision_is_converted_to_float32(tiny, state, entries, tmp_path):
    torch.save(
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
        tmp_path / "w.pt",
    )
    backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION)
    loaded = backbones.load("mine", entries)
    assert all(tensor.dtype == state[name].dtype for name, tensor in loaded.network.state_dict().items())
    torch.testing.assert_close(outputs(loaded), outputs(tiny), rtol=0.05, atol=0.05)


def test_files_without_num_batches_tracked(tiny, state, entries, tmp_path):
    torch.save({name: tensor for name, tensor in state.items() if "num_batches" not in name}, tmp_path / "w.pt")
    backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES, options=HSEMOTION)
    assert_equal(backbones.load("mine", entries), tiny)


def test_views_and_shared_storages(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save(
        {
            "t": whole.T,
            "row": whole[1],
            "part": whole[1:, ::2],
            "none": torch.empty(0),
            "one": torch.tensor(7),
            "flags": torch.tensor([True, False]),
            "b": torch.ones(2, dtype=torch.bfloat16),
        },
        tmp_path / "w.pt",
    )
    for form in (True, False):
        torch.save(torch.load(tmp_path / "w.pt"), tmp_path / "again.pt", _use_new_zipfile_serialization=form)
        found = read_torch_file(tmp_path / "again.pt")
        for name, expected in torch.load(tmp_path / "w.pt").items():
            assert torch.equal(found.state[name], expected) and found.state[name].dtype == expected.dtype


def test_big_endian_tensors(tmp_path):
    numbers = torch.arange(4.0)
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 4), 0, (2, 2), (2, 1), False, OrderedDict()
    )
    for order, data in ((b"little", numbers.numpy().tobytes()), (b"big", numbers.numpy().byteswap().tobytes())):
        path = archive(tmp_path / "w.pt", pickled({"w": tensor}), {"0": data}, order)
        assert torch.equal(read_torch_file(path).state["w"], numbers.reshape(2, 2))
