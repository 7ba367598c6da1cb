"""ONNX graphs that do not take RGB crops [N, 3, S, S], or whose embedding is no output."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import backbones
from backbones import ImportOptions
from backbones.importing.onnx_files import import_onnx
from backbones.regular_files import hash_file
from harness.export.network import with_random_head
from harness.export.onnx import FORMAT
from harness.metrics.tasks import TASKS
from tests.helpers.onnx_imports import refusal, taken
from tests.helpers.onnx_models import pooled, written

PLAIN = {"like": None, "mean": (0,), "std": (1,), "value_range": (0, 255)}
LUMA = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
MEANS = {
    "nchw": "g (float[N,3,8,8] x) => (float[N,3] embedding) { embedding = ReduceMean <axes=[2,3], keepdims=0> (x) }",
    "nhwc": "g (float[N,8,8,3] x) => (float[N,3] embedding) { embedding = ReduceMean <axes=[1,2], keepdims=0> (x) }",
    "grey": "g (float[N,1,8,8] x) => (float[N,1] embedding) { embedding = ReduceMean <axes=[2,3], keepdims=0> (x) }",
    "nhwc grey": "g (float[2,8,8,1] x) => (float[2,1] pool) { pool = ReduceMean <axes=[1,2], keepdims=0> (x) }",
}
"""Graphs whose embedding is the mean color."""


def loaded(path):
    return backbones.load("entry", path.parent / "entries")


@pytest.mark.parametrize(
    "graph, channels, expected",
    [
        ("nchw", "rgb", lambda x: x),
        ("nchw", "bgr", lambda x: x.flip(1)),
        ("nchw", "grey", lambda x: (x * LUMA).sum(1, keepdim=True).expand(-1, 3, -1, -1)),
        ("nhwc", "rgb", lambda x: x),
        ("nhwc", "bgr", lambda x: x.flip(1)),
        ("grey", None, lambda x: (x * LUMA).sum(1, keepdim=True)),
        ("nhwc grey", "grey", lambda x: (x * LUMA).sum(1, keepdim=True)),
    ],
)
def test_stored_graph_takes_rgb(graph, channels, expected, tmp_path):
    path = written(tmp_path / "m.onnx", MEANS[graph])
    card, said = taken(path, **PLAIN, channels=channels)
    pixels = torch.randn(3, 3, 8, 8)
    embedding, scores = loaded(path)(pixels)
    torch.testing.assert_close(embedding, expected(pixels).mean((2, 3)), rtol=1e-5, atol=1e-5)
    assert scores.shape == (3, 0) and card["score_width"] == 0 and card["ports"]["scores"] is None
    assert card["file_sha256"] == hash_file(path)
    assert (card["weights_hash"] == card["file_sha256"]) == (graph == "nchw" and channels == "rgb")


def test_import_is_deterministic(tmp_path):
    path = written(tmp_path / "m.onnx", MEANS["nhwc"])
    options = ImportOptions(like="vggface2", scores="none")
    hashes = {
        backbones.read_card(import_onnx(path, "entry", tmp_path / str(i), options))["weights_hash"] for i in range(2)
    }
    assert len(hashes) == 1
    assert import_onnx(path, "entry", tmp_path / "0", options) == tmp_path / "0" / "entry"


def test_embedding_only_network(tmp_path):
    path = pooled(tmp_path / "m.onnx", {"features": 1280})
    card, said = taken(path)
    assert card["score_width"] == 0 and card["classes"] == [] and "embedding: features [1280]; scores: none" in said
    backbone = loaded(path)
    assert [part.shape for part in backbone(torch.zeros(5, 3, 8, 8))] == [(5, 1280), (5, 0)]
    assert backbones.get_info("entry", tmp_path / "entries") == backbone.info()
    head = with_random_head(backbone, TASKS["va"])
    crops = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    outputs = FORMAT.open(FORMAT.write(head, tmp_path, "float32", crops[:0], embedding=True))(crops)
    assert outputs["outputs"].shape == (3, 2) and outputs["embedding"].shape == (3, 1280)


def test_outputs_are_chosen_by_name(tmp_path):
    """Each choice has another hash, so that the features of one are not those of another."""
    path = pooled(tmp_path / "m.onnx", {"wide": 256, "age": 100, "emotion": 8, "deep": 1024})
    assert "cannot determine which output is the embedding among wide [256], age [100], emotion [8]" in refusal(path)
    choices = [
        ({"embedding": "deep"}, 1024, 8),
        ({"embedding": "wide", "scores": "none"}, 256, 0),
        ({"embedding": "wide", "scores": "emotion"}, 256, 8),
        ({"embedding": "emotion", "scores": "age"}, 8, 100),
        ({"embedding": "mean", "scores": "emotion"}, 3, 8),
    ]
    hashes = set()
    for number, (options, width, columns) in enumerate(choices):
        folder = import_onnx(path, f"entry{number}", tmp_path, ImportOptions(like="hsemotion", **options))
        card = backbones.read_card(folder)
        assert (card["embedding_width"], card["score_width"]) == (width, columns)
        assert card["macs"] == 3 * (columns + (width if options["embedding"] != "mean" else 0))
        hashes.add(card["weights_hash"])
    assert len(hashes) == len(choices)


MAP = """g (float[N,3,8,8] x) => (float[N,7] probabilities) {
    kernel = Constant <value = float[7,5,1,1]
        {1,0,0,0,0, 0,1,0,0,0, 0,0,1,0,0, 0,0,0,1,0, 0,0,0,0,1, 1,1,0,0,0, 0,1,1,0,0}> ()
    stem = Constant <value = float[5,3,1,1] {1,0,0, 0,1,0, 0,0,1, 1,1,0, 0,1,1}> ()
    map = Conv (x, stem)
    columns = Conv (map, kernel)
    logits = ReduceMean <axes=[2,3], keepdims=0> (columns)
    probabilities = Softmax (logits) }"""


def test_feature_map_before_a_convolutional_classifier_is_averaged(tmp_path):
    path = written(tmp_path / "m.onnx", MAP)
    card, said = taken(path)
    assert "'map' is a feature map; its global average is the embedding" in said
    pixels = torch.randn(2, 3, 8, 8)
    embedding, scores = loaded(path)(pixels)
    torch.testing.assert_close(embedding[:, :3], pixels.mean((2, 3)), rtol=1e-4, atol=1e-5)
    assert embedding.shape == (2, 5) and scores.shape == (2, 7) and card["macs"] == 64 * (15 + 35)
    assert "probabilities, not logits" in said


def test_adapted_network_is_exported(tmp_path):
    """The tensor that became an output, and the nodes before the input, are part of the exported file."""
    path = pooled(tmp_path / "m.onnx", {"output": 8})
    taken(path, channels="bgr")
    head = with_random_head(loaded(path), TASKS["va"])
    crops = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    outputs = FORMAT.open(FORMAT.write(head, tmp_path, "float32", crops[:0], embedding=True))(crops)
    expected = [backbones.prepare(crop, head.backbone.spec).mean((1, 2))[::-1] for crop in crops]
    np.testing.assert_allclose(outputs["embedding"], expected, rtol=1e-4, atol=1e-5)


def test_inputs_that_nothing_uses_are_removed(tmp_path):
    """As in the int8 files of OpenCV's model zoo."""
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x, float[3] weight, float[1] scale) => (float[N,3] embedding) {"
        "embedding = ReduceMean <axes=[2,3], keepdims=0> (x) }",
    )
    taken(path, scores="none")
    assert [port.name for port in onnx.load(tmp_path / "entries/entry/model.onnx").graph.input] == ["x"]


def test_block_quantized_weights_are_dequantized(tmp_path):
    weights = np.arange(-12, 12, dtype=np.int8).reshape(8, 3)
    constants = {"w": weights, "scale": np.full((1, 3), 0.5, np.float32), "zero": np.zeros((1, 3), np.int8)}
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["wide"], axis=0, block_size=64),
            helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
            helper.make_node("Gemm", ["mean", "wide"], ["embedding"], transB=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 8])],
        [numpy_helper.from_array(v, k) for k, v in {**constants, "axes": np.array([2, 3])}.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    card, _ = taken(path, scores="none")
    pixels = torch.randn(2, 3, 8, 8)
    expected = pixels.mean((2, 3)) @ (torch.from_numpy(weights).float() * 0.5).T
    torch.testing.assert_close(loaded(path)(pixels)[0], expected, rtol=1e-4, atol=1e-4)
    assert card["parameters"] == 24 and card["macs"] == 24


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
def test_opsets(opset, tmp_path):
    """Also the nodes that are put before the input."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
    ]
    constants = {"w": np.eye(3, 8, dtype=np.float32), "b": np.zeros(8, np.float32)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 8])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4), path)
    card, _ = taken(path, **{**PLAIN, "like": "hsemotion"}, channels="bgr")
    pixels = torch.randn(2, 3, 8, 8)
    embedding, scores = loaded(path)(pixels)
    torch.testing.assert_close(embedding, pixels.mean((2, 3)).flip(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores[:, :3], embedding)
    assert card["ports"]["embedding"] == "flat" and card["macs"] == 24


BRANCH = """g (float[N,3,8,8] x) => (float[N,3] embedding) {
    go = Constant <value = bool {1}> ()
    mean = ReduceMean <axes = [2, 3], keepdims = 0> (x)
    embedding = If (go) <then_branch = a () => (float[N,3] y) { y = Neg (mean) },
                         else_branch = b () => (float[N,3] z) { z = Identity (mean) }> }"""


def test_control_flow_is_refused(tmp_path):
    assert "contains control flow (If), which is not supported" in refusal(written(tmp_path / "m.onnx", BRANCH))
