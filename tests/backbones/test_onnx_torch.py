"""ONNX graphs as torch networks: parity, gradients, and saving."""

import pickle

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

import backbones
from backbones import BackboneError
from backbones.importing.onnx_files import import_onnx
from tests.helpers.onnx_imports import HSEMOTION
from tests.helpers.onnx_models import SIZE, Both, export, mobile, timm_network, written

SMALL = 16


def imported(path, name="mine"):
    import_onnx(path, name, path.parent / "entries", HSEMOTION)
    return backbones.load(name, path.parent / "entries")


def crops(count, size=SMALL):
    return torch.randn((count, 3, size, size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("padding", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_graph_computes_the_same_in_torch(tmp_path, padding):
    backbone = imported(mobile(tmp_path / "m.onnx", padding))
    trainable = backbones.make_trainable(backbone)
    assert trainable.trainable and not backbone.trainable and trainable.score_labels == ()
    torch.testing.assert_close(trainable(crops(3))[0], backbone(crops(3))[0], rtol=1e-4, atol=1e-5)


def test_exported_timm_network_computes_the_same(tmp_path):
    program = export(Both(timm_network()), 2, ["embedding", "scores"], dynamic=True)
    program.save(tmp_path / "m.onnx", external_data=False)
    backbone = imported(tmp_path / "m.onnx")
    trainable = backbones.make_trainable(backbone)
    torch.testing.assert_close(trainable(crops(3, SIZE))[0], backbone(crops(3, SIZE))[0], rtol=1e-4, atol=1e-4)


def test_gradients_reach_all_weights_and_a_step_lowers_the_loss(tmp_path):
    trainable = backbones.make_trainable(imported(mobile(tmp_path / "m.onnx")))
    trainable.set_classes(("calm", "tense"), seed=1)
    trainable.train()
    names = {name for name, _ in trainable.network.named_parameters()}
    assert len(names) == 10  # all but the statistics, and the classifier
    optimizer, losses = torch.optim.Adam(trainable.parameters(), 0.01), []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(trainable(crops(4))[1], torch.tensor([0, 1, 0, 1]))
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in trainable.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_trained_graph_is_stored_as_an_onnx_model(tmp_path):
    backbone = imported(mobile(tmp_path / "m.onnx"))
    trainable = backbones.make_trainable(backbone)
    trainable.set_classes(("calm", "tense"), seed=1)
    with torch.no_grad():
        for parameter in trainable.parameters():
            parameter += 0.1
    expected = trainable(crops(5))
    folder = backbones.save_checkpoint(tmp_path / "entries" / "tuned", trainable, {"name": "tuned"})
    card = backbones.read_card(folder)
    assert card["engine"] == "onnxruntime" and card["classes"] == ["calm", "tense"] and card["score_width"] == 2
    assert card["macs"] == backbones.read_card(tmp_path / "entries/mine")["macs"] + 12
    stored = backbones.load("tuned", tmp_path / "entries")
    for ours, theirs in zip(stored(crops(5)), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    again = backbones.make_trainable(stored)  # the classifier of the first training is replaced
    again.set_classes(("a", "b", "c"))
    backbones.save_checkpoint(tmp_path / "entries" / "again", again, {"name": "again"})
    assert backbones.load("again", tmp_path / "entries")(crops(1))[1].shape == (1, 3)


def test_trained_graph_survives_pickling(tmp_path):
    trainable = backbones.make_trainable(imported(mobile(tmp_path / "m.onnx")))
    copied = pickle.loads(pickle.dumps(trainable.network))
    assert torch.equal(copied(crops(2)), trainable.network(crops(2)))


def test_torch_backbone_is_returned_unchanged():
    backbone = backbones.load("tiny_resnet@random")
    assert backbones.make_trainable(backbone) is backbone


@pytest.mark.parametrize(
    "body, message",
    [
        ("soft = Softsign (x) embedding = Flatten (soft)", "operators without an equivalent in training: Softsign;"),
        ("embedding = Flatten (x)", "its graph has no weights"),
    ],
)
def test_graph_that_cannot_be_trained_is_refused(tmp_path, body, message):
    path = written(tmp_path / "m.onnx", f"g (float[N,3,8,8] x) => (float[N,192] embedding) {{ {body} }}")
    with pytest.raises(BackboneError, match=message) as error:
        backbones.make_trainable(imported(path))
    assert "\n" not in str(error.value)


def test_graph_for_one_crop_is_refused(tmp_path):
    path = mobile(tmp_path / "m.onnx", pixels="float[1,3,16,16] x")
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "mean_of_map"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 6]), "one"))
    model.graph.node.append(helper.make_node("Reshape", ["mean_of_map", "one"], ["embedding"]))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    with pytest.raises(BackboneError, match="does not run in torch for two crops.*any number of crops"):
        backbones.make_trainable(imported(path))


def test_control_flow_is_named(tmp_path):
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,192] embedding) { yes = Constant <value = bool {1}> () "
        "embedding = If (yes) <then_branch = t () => (float[N,192] a) { a = Flatten (x) }, "
        "else_branch = e () => (float[N,192] b) { b = Flatten (x) }> }",
    )
    with pytest.raises(BackboneError, match=r"contains control flow \(If\)"):
        imported(path)
