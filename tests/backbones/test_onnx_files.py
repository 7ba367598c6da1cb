"""ONNX files that are broken, of another kind or unclear: one message each; and which outputs are taken."""

import ast
import re
import subprocess

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import backbones
from backbones import BackboneError
from backbones.importing.onnx_files import import_onnx
from backbones.onnx_graph import is_onnx, read_graph
from tests.helpers.logs import captured_logs
from tests.helpers.onnx_models import pooled, written

SEVEN = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")


def taken(path, classes=None):
    """The card of an import, and what was logged."""
    with captured_logs() as messages:
        folder = import_onnx(path, "entry", path.parent / "entries", classes)
    return backbones.read_card(folder), "\n".join(messages)


def refusal(path, classes=None):
    with pytest.raises(BackboneError) as error:
        taken(path, classes)
    assert not (path.parent / "entries").exists() and str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


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
def test_outputs_are_known_by_width_then_by_name(tmp_path, outputs, embedding, scores):
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
def test_classes_of_published_models_go_by_their_number(tmp_path, width, classes):
    card, said = taken(pooled(tmp_path / "m.onnx", {"scores": width, "embedding": 32}))
    assert tuple(card["classes"]) == classes and ", ".join(classes) in said


def test_classes_that_were_named(tmp_path):
    path = pooled(tmp_path / "m.onnx", {"scores": 3, "embedding": 32, "other": 8})
    assert taken(path, ("bored", "awake", "gone"))[0]["classes"] == ["bored", "awake", "gone"]
    card, said = taken(pooled(tmp_path / "unnamed" / "m.onnx", {"scores": 3, "embedding": 32}))
    assert card["classes"] == [] and card["score_width"] == 3 and "unnamed" in said


@pytest.mark.parametrize(
    "outputs, classes, message",
    [
        ({"scores": 8, "embedding": 32}, ("a", "b"), "8 columns, but 2 class names were given"),
        (
            {"one": 8, "two": 8, "embedding": 32},
            None,
            r"which output is the scores among one \[8\], two \[8\], embedding \[32\]",
        ),
        ({"scores": 8, "one": 32, "two": 64}, None, "which output is the embedding"),
        (
            {"output": 8},
            None,
            r"scores only \(output \[8\]\).*output_names=.*make 'mean', the input of its last linear layer",
        ),
        ({"features": 1280}, None, r"no output for scores: its outputs are features \[1280\], and none has 7 or 8"),
    ],
)
def test_outputs_that_are_unclear_or_missing(tmp_path, outputs, classes, message):
    assert re.search(message, refusal(pooled(tmp_path / "m.onnx", outputs), classes))


@pytest.mark.parametrize(
    "pixels, message",
    [
        ("float[N,8,8,3] x", "takes x: tensor(float) [N, 8, 8, 3], not float32 [N, 3, S, S]"),
        ("float16[N,3,8,8] x", "not float32"),
        ("float[3,8] x", "not float32"),
        ("float[N,3,8,9] x", "only square images"),
        ("float[N,3,H,W] x", "--input_name x --input_shape 1,3,224,224"),
        ("float[N,3,8,8] x, float[N] y", "takes 2 inputs (x, y)"),
        ("float[60000,3,200,200] x", "more than 67,108,864 pixels"),
    ],
)
def test_inputs_that_are_no_face_crops(tmp_path, pixels, message):
    kind = "float16" if "float16" in pixels else "float"
    path = written(
        tmp_path / "m.onnx", f"g ({pixels}) => ({kind}[N,3] scores) {{ flat = Flatten (x) scores = Identity (flat) }}"
    )
    assert message in refusal(path)


def test_probabilities_are_told_from_logits(tmp_path):
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,192] embedding, float[N,8] scores) {"
        "embedding = Flatten (x) sizes = Constant <value = int64[2] {8, 184}> ()"
        "first, rest = Split <axis = 1> (embedding, sizes) scores = Softmax (first) }",
    )
    assert "probabilities, not logits" in taken(path)[1]


@pytest.mark.parametrize("declared, batch", [("N", 1), ("1", 1), ("4", 4)])
def test_a_graph_of_a_fixed_batch_takes_any_number_of_crops(tmp_path, declared, batch):
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


def test_mobilefacenet_has_pixels_of_its_own(tmp_path):
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


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no model at all, but text\n",
        b"\x80\x02}q\x00.",
        b"PK\x03\x04" + bytes(60),
        b"\x08\x08",
        b"\x08\x08\x3a\x7fcut",
        b"\x08\x08\x3a\x03\x0a\x01\xff",
    ],
)
def test_what_is_no_model(tmp_path, data, capfd):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert "ONNX" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot read" in refusal(tmp_path / "none.onnx")


def test_a_graph_that_the_runtime_refuses_is_one_message(tmp_path, capfd):
    path = written(tmp_path / "m.onnx", "g (float[N,3,8,8] x) => (float[N,8] scores) { scores = Telepathy (x) }")
    text = refusal(path)
    assert "cannot open" in text and "Telepathy" in text and len(text) < 700
    path = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,8] scores) {"
        "shape = Constant <value = int64[2] {7, 8}> () scores = Reshape (x, shape) }",
    )
    assert "does not run on 1 x 3 x 8 x 8" in refusal(path)
    assert capfd.readouterr() == ("", "")


def external(tensor, location):
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize(
    "where", ["initializer", "constant", "branch", "sparse", "sparse constant", "function", "default of a function"]
)
def test_no_other_file_is_opened_wherever_the_graph_names_it(tmp_path, where):
    tensor = external(onnx.TensorProto(name="w", dims=[8], data_type=1), "/etc/hostname")
    model = onnx.load(pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32}))
    constant = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "constant":
        model.graph.node.append(constant)
    elif where == "branch":
        model.graph.node.append(onnx.helper.make_node("If", ["b"], ["c"], then_branch=onnx.GraphProto(node=[constant])))
    elif where == "sparse":
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor))
    elif where == "sparse constant":
        value = onnx.SparseTensorProto(values=tensor, dims=[8])
        model.graph.node.append(onnx.helper.make_node("Constant", [], ["w"], sparse_value=value))
    elif where == "default of a function":
        given = onnx.helper.make_attribute("value", tensor)
        model.functions.append(onnx.FunctionProto(name="f", attribute_proto=[given]))
    else:
        model.functions.append(onnx.FunctionProto(name="f", node=[constant]))
    onnx.save(model, tmp_path / "m.onnx")
    assert "tensors are stored in /etc/hostname" in refusal(tmp_path / "m.onnx")


def test_no_field_is_hidden_behind_a_number_of_more_than_32_bits(tmp_path):
    """The protobuf reader of ONNX Runtime cuts such a number, and would find tensors that lie elsewhere in it."""
    path = pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32})
    tensor = external(onnx.TensorProto(name="w", dims=[8], data_type=1), "/etc/hostname")
    graph = onnx.GraphProto(initializer=[tensor]).SerializeToString()
    plain, wide = b"\x3a", b"\xba\x80\x80\x80\x10"  # field 7, the graph
    field = bytes([len(graph)]) + graph
    assert onnx.ModelProto.FromString(plain + field).graph.initializer[0].external_data
    path.write_bytes(path.read_bytes() + wide + field)
    assert "is not a complete ONNX file" in refusal(path)


HOSTILE = [
    "a'); print(1); ('",
    '"; touch spoiled; "',
    "$(touch spoiled)",
    "`touch spoiled`",
    "a\nb; touch spoiled",
    "\x1b[2J",
    "a b",
]


def words_of(command, folder):
    """What a shell makes of it, in `folder`."""
    told = subprocess.run(["sh", "-c", f"printf '%s\\0' {command}"], cwd=folder, capture_output=True, check=True)
    assert not (folder / "spoiled").exists()
    return told.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_user_is_told_to_run_is_one_command_whatever_the_file_calls_its_tensors(tmp_path, name):
    model = onnx.load(pooled(tmp_path / "m.onnx", {"output": 8}))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if given == "mean" else given for given in names]
    onnx.save(model, tmp_path / "m.onnx")
    said = refusal(tmp_path / "m.onnx")
    assert said.isprintable()
    command, flag, code = words_of(said[said.index("python -c") :], tmp_path)
    assert (command, flag) == ("python", "-c")
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.keyword) and node.arg == "name"]
    assert [call.value.value for call in calls] == [name]


@pytest.mark.parametrize("name", HOSTILE)
def test_so_it_is_for_a_size_that_is_not_fixed_and_for_tensors_elsewhere(tmp_path, name):
    model = onnx.load(pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32}, "float[N,3,H,W] x"))
    model.graph.input[0].name = name
    model.graph.node[0].input[0] = name
    onnx.save(model, tmp_path / "m.onnx")
    said = refusal(tmp_path / "m.onnx")
    words = words_of(said[said.index("python -m") :], tmp_path)
    assert said.isprintable() and len(words) == 9 and words[3] == "--input_name" and words[-1] == "fixed.onnx"
    model.graph.initializer.append(external(onnx.TensorProto(name="w", dims=[8], data_type=1), name))
    path = tmp_path / f"{name.replace('/', '')}.onnx"
    onnx.save(model, path)
    with pytest.raises(BackboneError) as error:
        read_graph(path).require_single_file(path)
    command, flag, code = words_of(error.value.hint[error.value.hint.index("python -c") :], tmp_path)
    assert (command, flag) == ("python", "-c")
    texts = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    assert sorted(texts) == sorted([str(path), "whole.onnx"])


def test_graphs_nested_without_end(tmp_path):
    graph = onnx.GraphProto()
    for _ in range(12):
        graph = onnx.GraphProto(node=[onnx.helper.make_node("If", ["b"], ["c"], then_branch=graph)])
    (tmp_path / "m.onnx").write_bytes(onnx.ModelProto(ir_version=8, graph=graph).SerializeToString())
    assert "nested too deep" in refusal(tmp_path / "m.onnx")


def test_parameters_are_counted_over_all_weights(tmp_path):
    floats = onnx.numpy_helper.from_array(np.zeros((3, 5), np.float32), "a")
    quantised = onnx.numpy_helper.from_array(np.zeros((2, 7), np.int8), "b")
    shape = onnx.numpy_helper.from_array(np.zeros(4, np.int64), "c")
    model = onnx.load(pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32}))
    model.graph.initializer.extend([floats, quantised, shape])
    onnx.save(model, tmp_path / "m.onnx")
    assert read_graph(tmp_path / "m.onnx").parameters == 15 + 14 + 2  # and one number for each of the two matrices


def test_a_model_is_told_from_other_files_even_cut_off(tmp_path):
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


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "damaged.onnx"
    whole = bytearray(pooled(folder / "sound.onnx", {"scores": 8, "embedding": 32}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        assert read_graph(path).nodes
    except BackboneError as error:
        assert str(path) in str(error)
