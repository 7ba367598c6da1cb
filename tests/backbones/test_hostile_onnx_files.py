"""ONNX files that are damaged, name other files, or hold names that a shell would run."""

import ast
import subprocess

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbones import BackboneError
from backbones.onnx_graph import read_graph
from backbones.onnx_session import open_session, run_session
from harness.export.onnx import FORMAT
from tests.helpers.onnx_imports import refusal, taken
from tests.helpers.onnx_models import pooled, written


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
def test_invalid_model_raises(tmp_path, data, capfd):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert "ONNX" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_missing_file_raises(tmp_path):
    assert "cannot read" in refusal(tmp_path / "none.onnx")


def test_graph_rejected_by_runtime_raises(tmp_path, capfd):
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
def test_external_files_are_never_opened(tmp_path, where):
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


def test_large_field_numbers_do_not_hide_fields(tmp_path):
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
def test_names_of_tensors_are_escaped(tmp_path, name):
    model = onnx.load(pooled(tmp_path / "m.onnx", {"output": 8}))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if given == "mean" else given for given in names]
    onnx.save(model, tmp_path / "m.onnx")
    card, said = taken(tmp_path / "m.onnx")
    assert card["ports"]["embedding"] == name and all(line.isprintable() for line in said.splitlines())


@pytest.mark.parametrize("name", HOSTILE)
def test_suggested_command_for_tensors_is_shell_quoted(tmp_path, name):
    model = onnx.load(pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32}, "float[N,3,H,W] x"))
    model.graph.input[0].name = name
    model.graph.node[0].input[0] = name
    onnx.save(model, tmp_path / "m.onnx")
    assert refusal(tmp_path / "m.onnx").isprintable()
    model.graph.initializer.append(external(onnx.TensorProto(name="w", dims=[8], data_type=1), name))
    path = tmp_path / f"{name.replace('/', '')}.onnx"
    onnx.save(model, path)
    with pytest.raises(BackboneError) as error:
        read_graph(path).require_single_file(path)
    command, flag, code = words_of(error.value.hint[error.value.hint.index("python -c") :], tmp_path)
    assert (command, flag) == ("python", "-c")
    texts = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    assert sorted(texts) == sorted([str(path), "whole.onnx"])


def test_deeply_nested_graphs_are_rejected(tmp_path):
    graph = onnx.GraphProto()
    for _ in range(12):
        graph = onnx.GraphProto(node=[onnx.helper.make_node("If", ["b"], ["c"], then_branch=graph)])
    (tmp_path / "m.onnx").write_bytes(onnx.ModelProto(ir_version=8, graph=graph).SerializeToString())
    assert "nested too deep" in refusal(tmp_path / "m.onnx")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_raise_backbone_error_or_load(tmp_path_factory, data):
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


LOOP = """g (float[N,3,8,8] x) => (float[N,8] scores, float[N,16] embedding) {
    mean = ReduceMean <axes = [2, 3], keepdims = 0> (x)
    trips = Constant <value = int64 {4611686018427387904}> ()
    go = Constant <value = bool {1}> ()
    turned = Loop (trips, go, mean) <body = b (int64 i, bool c, float[N,3] y) => (bool d, float[N,3] z) {
        d = Identity (c)
        z = Neg (y) }>
    narrow = Constant <value = int64[2] {3, 8}> ()
    eight = ConstantOfShape <value = float[1] {1.0}> (narrow)
    scores = MatMul (turned, eight)
    wide = Constant <value = int64[2] {3, 16}> ()
    sixteen = ConstantOfShape <value = float[1] {1.0}> (wide)
    embedding = MatMul (turned, sixteen) }"""


def test_endless_loop_is_refused(tmp_path):
    path = written(tmp_path / "m.onnx", LOOP)
    assert "contains control flow (Loop), which is not supported" in refusal(path)
    with pytest.raises(BackboneError, match="contains a Loop"):
        FORMAT.open(path)


def test_run_ends_at_its_time_limit(tmp_path):
    path = written(tmp_path / "m.onnx", LOOP)
    session = open_session(path, 1)
    with pytest.raises(BackboneError, match=r"does not run within 0\.2 s on 1 x 3 x 8 x 8 inputs"):
        run_session(session, ("x", "scores"), np.zeros((1, 3, 8, 8), np.float32), path, 0.2)
