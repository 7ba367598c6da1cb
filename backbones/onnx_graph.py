"""What an ONNX file holds, read from its bytes: no network is run, no other file is opened, no `onnx` is needed.

The file is a protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): fields of a number, a wire type
and a value. The few fields that matter here are read, the rest, weights above all, is stepped over.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backbones.errors import BackboneError, printable

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WEIGHTS = {1, 2, 3, 10, 11, 16, *range(17, 25)}
"""Element types of tensors that count as parameters: floating point and 8-bit or smaller quantised ones."""
MOST_NESTED = 8
SNIFFED = 4096
LARGEST_KEY = 2**32 - 1
LARGEST = 2**31
"""A protocol buffer is never larger."""


class _Malformed(ValueError):
    """The bytes are no protocol buffer."""


@dataclass(frozen=True)
class Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass
class Graph:
    """parameters: values of all weight tensors; external: files that hold tensors of this one."""

    parameters: int = 0
    external: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def require_whole(self, path: Path) -> None:
        """BackboneError when tensors lie in other files: a hash of this one would not vouch for them."""
        if self.external:
            others = ", ".join(printable(name) or "(unnamed)" for name in self.external[:3])
            code = f"import onnx; onnx.save(onnx.load({json.dumps(str(path))}), \"whole.onnx\")"
            raise BackboneError(
                f"{path} is not whole: tensors of it lie in {others}",
                f"put all into one file: torch.onnx.export(..., external_data=False), or python -c {shlex.quote(code)}")

    def before_classifier(self, scores: str) -> str | None:
        """The tensor that the last linear layer before the output `scores` works on; None when there is none."""
        makers = {name: node for node in self.nodes for name in node.outputs}
        node = makers.get(scores)
        for _ in range(MOST_NESTED):
            if node is None:
                return None
            if node.operator in ("Gemm", "MatMul") and node.inputs:
                return node.inputs[0]
            node = next((makers[name] for name in node.inputs if name in makers), None)
        return None


def is_onnx(path: Path) -> bool:
    """Whether a file begins as ONNX models do (also where the rest of it is cut off): a version, then a graph."""
    try:
        with open(path, "rb") as file:
            head = memoryview(file.read(SNIFFED))
        position, first = 0, True
        while position < len(head):
            key, position = _varint(head, position)
            number, kind = key >> 3, key & 7
            if first and key != 1 << 3 | VARINT:
                return False
            if number == 7:
                return kind == BYTES
            if kind not in (VARINT, BYTES):
                return False
            value, position = _varint(head, position)
            position, first = position + (value if kind == BYTES else 0), False
    except (OSError, _Malformed):
        pass
    return False


def read_graph(path: Path) -> Graph:
    """The graph of an ONNX file; BackboneError when it is absent, cut off or something else."""
    graph = Graph()
    try:
        if path.stat().st_size >= LARGEST:
            raise BackboneError(f"{path} is larger than an ONNX file can be (2 GiB)")
        for number, value in _fields(memoryview(path.read_bytes())):
            if number == 7:
                _read_graph(graph, _message(value), MOST_NESTED)
            elif number == 25:
                _read_function(graph, _message(value))
    except OSError as error:
        raise BackboneError(f"cannot read {path}: {error.strerror or error}") from error
    except (_Malformed, UnicodeDecodeError) as error:
        raise BackboneError(f"{path} is not a whole ONNX file ({error})", "export or download it again") from error
    if not graph.nodes:
        raise BackboneError(f"{path} is not an ONNX model: it holds no graph")
    return graph


def _read_graph(graph: Graph, message: memoryview, depth: int) -> None:
    for number, value in _fields(message):
        if number == 5:
            _read_tensor(graph, _message(value))
        elif number == 15:
            _read_sparse(graph, _message(value))
    _read_nodes(graph, message, 1, depth)


def _read_function(graph: Graph, message: memoryview) -> None:
    _read_nodes(graph, message, 7, MOST_NESTED)
    for number, value in _fields(message):
        if number == 11:  # values of attributes that a call of it leaves out
            _read_attribute(graph, _message(value), MOST_NESTED)


def _read_nodes(graph: Graph, message: memoryview, nodes: int, depth: int) -> None:
    """depth: how many graphs may still be nested (the bodies of If and Loop)."""
    if not depth:
        raise _Malformed("its graphs are nested too deep")
    for number, value in _fields(message):
        if number == nodes:
            node = list(_fields(_message(value)))
            names = {at: tuple(_text(name) for number, name in node if number == at) for at in (1, 2, 4)}
            graph.nodes.append(Node("".join(names[4]), names[1], names[2]))
            for attribute in (_message(value) for number, value in node if number == 5):
                _read_attribute(graph, attribute, depth)


def _read_attribute(graph: Graph, message: memoryview, depth: int) -> None:
    for number, value in _fields(message):
        if number in (5, 10):
            _read_tensor(graph, _message(value))
        elif number in (22, 23):
            _read_sparse(graph, _message(value))
        elif number in (6, 11):
            _read_graph(graph, _message(value), depth - 1)


def _read_sparse(graph: Graph, message: memoryview) -> None:
    """A sparse tensor is two: its values and their places."""
    for number, value in _fields(message):
        if number in (1, 2):
            _read_tensor(graph, _message(value))


def _read_tensor(graph: Graph, message: memoryview) -> None:
    shape, kind, location, elsewhere = [], 0, "", False
    for number, value in _fields(message):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2:
            kind = value
        elif number == 14:
            elsewhere = elsewhere or value == 1
        elif number == 13:
            entry = dict(_fields(_message(value)))
            elsewhere = True
            if 1 in entry and 2 in entry and _text(entry[1]) == "location":
                location = _text(entry[2])
    if elsewhere and location not in graph.external:
        graph.external.append(location)
    if kind in WEIGHTS:
        graph.parameters += math.prod(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values: an int for a varint, else bytes."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        if key > LARGEST_KEY:  # others cut such a number to 32 bits, and see another field than this would
            raise _Malformed("the number of a field is too large")
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == BYTES:
            length, position = _varint(message, position)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise _Malformed(f"no field has the wire type {kind}")
        if position + length > end:
            raise _Malformed("it ends in the middle of a field")
        yield number, message[position:position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise _Malformed("it ends in the middle of a number")
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise _Malformed("a number is too long")


def _packed(message: memoryview) -> list[int]:
    values, position = [], 0
    while position < len(message):
        value, position = _varint(message, position)
        values.append(value)
    return values


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Malformed("a number stands where a message should")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8")
