"""Invalid or ambiguous ONNX files, and the choice of outputs."""

import re

import numpy as np
import onnx
import pytest
import torch

import backbones
from backbones.onnx_graph import is_onnx, read_graph
from tests.helpers.onnx_imports import refusal, taken
from tests.helpers.onnx_models import pooled, written

SEVEN = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")


@pytest.mark.parametrize(
    "outputs, embedding, scores",
    [
        ({"scores": 8, "embedding": 20}, "embedding", "scores"),
        ({"a": 8, "b": 9, "logits": 8, "features": 1280}, "features", "logits"),
        ({"x1": 7, "x2": 512}, "x2", "x1"),
        ({"emotion": 8, "va": 2, "pooled": 40, "wide": 50}, "pooled", "emotion"),
        ({"out": 10, "feat": 16}, "feat", "out"),
    ],
)
def test_outputs_are_identified_by_width_then_name(tmp_path, outputs, embedding, scores):
    card, said = taken(pooled(tmp_path / "m.onnx", outputs))
    assert (card["ports"]["embedding"], card["ports"]["scores"]) == (embedding, scores)
    assert f"embedding: {embedding} [{outputs[embedding]}]; scores: {scores} [{outputs[scores]}]" in said
    assert ("not used" in said) == (len(outputs) > 2)


@pytest.mark.parametrize(
    "width, classes",
    [
        (7, SEVEN),
        (8, backbones.AFFECTNET),
        (9, SEVEN + ("Valence", "Arousal")),
        (10, backbones.AFFECTNET + ("Valence", "Arousal")),
    ],
)
def test_published_class_names_depend_on_their_number(tmp_path, width, classes):
    card, said = taken(pooled(tmp_path / "m.onnx", {"scores": width, "embedding": 32}))
    assert tuple(card["classes"]) == classes and ", ".join(classes) in said


def test_given_class_names(tmp_path):
    path = pooled(tmp_path / "m.onnx", {"scores": 3, "embedding": 32, "other": 8})
    assert taken(path, classes=("bored", "awake", "gone"))[0]["classes"] == ["bored", "awake", "gone"]
    card, said = taken(pooled(tmp_path / "unnamed" / "m.onnx", {"scores": 3, "embedding": 32}))
    assert card["classes"] == [] and card["score_width"] == 3 and "unnamed" in said


@pytest.mark.parametrize(
    "outputs, options, message",
    [
        ({"scores": 8, "embedding": 32}, {"classes": ("a", "b")}, "8 columns, but 2 class names were given"),
        ({"one": 5, "embedding": 32}, {"classes": ("a", "b")}, r"no output for scores with 2 columns: .* one \[5\]"),
        ({"one": 8, "two": 8, "embedding": 32}, {}, r"output is the scores among one \[8\], two .*--scores NAME, or"),
        ({"scores": 8, "one": 32, "two": 64}, {}, "output is the embedding among .*--embedding NAME$"),
        ({"scores": 8, "embedding": 32}, {"embedding": "embeding"}, "unknown tensor of .*did you mean .*embedding"),
        ({"scores": 8, "embedding": 32}, {"scores": "shape_scores"}, "'shape_scores' in .* is not one float32 vector"),
        ({"scores": 8, "embedding": 32}, {"architecture": "resnet18"}, "--architecture does not apply to"),
        ({"scores": 8, "embedding": 32}, {"layout": "nhwc"}, "not a batch of images .* in layout nhwc"),
    ],
)
def test_ambiguous_or_missing_outputs_raise(tmp_path, outputs, options, message):
    assert re.search(message, refusal(pooled(tmp_path / "m.onnx", outputs), **options))


@pytest.mark.parametrize(
    "pixels, message",
    [
        ("float[N,4,8,8] x", "takes x: float32 [N, 4, 8, 8], which is not float32 [N, 3, S, S], [N, S, S, 3] or"),
        ("float[N,3,3,3] x", "whose layout is ambiguous; give --layout nchw or nhwc"),
        ("float16[N,3,8,8] x", "takes x: float16 [N, 3, 8, 8], not float32"),
        ("float[3,8] x", "takes x: float32 [3, 8], not float32 [N, 3, S, S]"),
        ("float[N,3,8,9] x", "only square images"),
        ("float[N,3,H,W] x", "takes x: float32 [N, 3, H, W]; give the size that the network was trained for"),
        ("float[N,3,8,8] x, float[N,3,8,8] y", "takes 2 inputs (x, y)"),
        ("float[60000,3,200,200] x", "more than 67,108,864 pixels"),
    ],
)
def test_invalid_inputs_raise(tmp_path, pixels, message):
    kind = "float16" if "float16" in pixels else "float"
    both = "both = Sub (x, y)" if " y" in pixels else "both = Identity (x)"
    path = written(
        tmp_path / "m.onnx",
        f"g ({pixels}) => ({kind}[N,3] scores) {{ {both} flat = Flatten (both) scores = Identity (flat) }}",
    )
    assert message in refusal(path)


def test_size_replaces_that_of_the_file_where_the_network_runs_at_it(tmp_path):
    path = pooled(tmp_path / "free" / "m.onnx", {"scores": 8, "embedding": 32})
    assert taken(path, size=16)[0]["preprocessing"]["input_size"] == 16
    path = written(
        tmp_path / "fixed" / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,192] embedding) "
        "{ shape = Constant <value = int64[2] {-1, 192}> () "
        "weights = Constant <value = int64[2] {192, 2}> () ones = ConstantOfShape <value = float[1] {1.0}> (weights) "
        "embedding = Flatten (x) narrow = MatMul (embedding, ones) }",
    )
    assert re.search("for images of 8 pixels and does not run at --size 16 .*; omit --size", refusal(path, size=16))


def test_probabilities_are_distinguished_from_logits(tmp_path):
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,192] embedding, float[N,8] scores) {"
        "embedding = Flatten (x) sizes = Constant <value = int64[2] {8, 184}> ()"
        "first, rest = Split <axis = 1> (embedding, sizes) scores = Softmax (first) }",
    )
    assert "probabilities, not logits" in taken(path)[1]


@pytest.mark.parametrize("declared, batch", [("N", 1), ("1", 1), ("4", 4)])
def test_graph_of_a_fixed_batch_takes_any_number_of_crops(tmp_path, declared, batch):
    """Also one that says it takes any number and does not; a pooled map [N, D, 1, 1] is an embedding."""
    path = written(
        tmp_path / "m.onnx",
        f"g (float[{declared},3,8,8] x) => (float[{declared},24,1,1] embedding, "
        f"float[{declared},8] scores) {{ shape = Constant <value = int64[4] {{{batch}, 24, 2, 4}}> ()"
        "parts = Reshape (x, shape) embedding = GlobalMaxPool (parts) flat = Flatten (x)"
        "sizes = Constant <value = int64[2] {8, 184}> () scores, rest = Split <axis = 1> (flat, sizes) }",
    )
    assert taken(path)[0]["ports"]["batch"] == batch
    pixels = torch.randn(5, 3, 8, 8)
    embedding, scores = backbones.load("entry", tmp_path / "entries")(pixels)
    np.testing.assert_allclose(embedding, pixels.reshape(5, 24, 8).amax(dim=2))
    np.testing.assert_allclose(scores, pixels.flatten(1)[:, :8])
    empty = backbones.load("entry", tmp_path / "entries")(pixels[:0])
    assert [part.shape for part in empty] == [(0, 24), (0, 8)]


def test_mobilefacenet_preprocessing(tmp_path):
    card, _ = taken(pooled(tmp_path / "mbf_va_mtl.onnx", {"scores": 10, "embedding": 32}))
    assert card["preprocessing"]["mean"] == card["preprocessing"]["std"] == [0.5, 0.5, 0.5]


def test_values_that_are_not_finite(tmp_path):
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,192] embedding, float[N,8] scores) {"
        "flat = Flatten (x) embedding = Log (flat) sizes = Constant <value = int64[2] {8, 184}> ()"
        "scores, rest = Split <axis = 1> (flat, sizes) }",
    )
    assert "non-finite values in embedding [192]" in refusal(path)


@pytest.mark.parametrize("batch", ["N", "1"])
@pytest.mark.parametrize(
    "body",
    [
        "low = Constant <value = float {1e9}> () less = Sub (mean, low) embedding = Relu (less)",
        "none = Constant <value = float {0.0}> () bias = Constant <value = float[3] {0.1, 2.0, 3.0}> () "
        "zero = Mul (mean, none) embedding = Add (zero, bias)",
    ],
)
def test_embedding_that_does_not_depend_on_the_image(tmp_path, body, batch):
    graph = f"g (float[{batch},3,8,8] x) => (float[{batch},3] embedding) {{"
    path = written(tmp_path / "m.onnx", f"{graph} mean = ReduceMean <axes = [2, 3], keepdims = 0> (x) {body} }}")
    message = refusal(path)
    assert "computes the same embedding for a black, a white and a noise image; name another tensor than" in message
    assert "'embedding' with --embedding NAME" in message
    assert taken(path, embedding="mean")[0]["embedding_width"] == 3


def test_embedding_may_depend_on_contrast_only(tmp_path):
    body = "mean = ReduceMean <axes = [2, 3]> (x) less = Sub (x, mean) size = Abs (less)"
    last = "embedding = ReduceMean <axes = [2, 3], keepdims = 0> (size)"
    taken(written(tmp_path / "m.onnx", f"g (float[N,3,8,8] x) => (float[N,3] embedding) {{ {body} {last} }}"))


def test_parameters_are_counted_over_all_weights(tmp_path):
    floats = onnx.numpy_helper.from_array(np.zeros((3, 5), np.float32), "a")
    quantised = onnx.numpy_helper.from_array(np.zeros((2, 7), np.int8), "b")
    shape = onnx.numpy_helper.from_array(np.zeros(4, np.int64), "c")
    model = onnx.load(pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32}))
    model.graph.initializer.extend([floats, quantised, shape])
    onnx.save(model, tmp_path / "m.onnx")
    assert read_graph(tmp_path / "m.onnx").parameters == 15 + 14 + 2  # and one number for each of the two matrices


def test_truncated_model_is_recognized_as_onnx(tmp_path):
    path = pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32})
    assert is_onnx(path)
    data = path.read_bytes()
    for content, known in (
        (data[:60], True),
        (b"", False),
        (b"PK\x03\x04", False),
        (b"\x80\x02}q", False),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}", False),
        (b"\x08\x08", False),
    ):
        path.write_bytes(content)
        assert is_onnx(path) == known
    assert not is_onnx(tmp_path / "none")
