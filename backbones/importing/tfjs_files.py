"""Import TensorFlow.js graph models: convert them to ONNX without TensorFlow, and import the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.errors import BackboneError, printable
from backbones.importing.entry import validate_entry_name
from backbones.importing.onnx_files import GraphFile, import_graph
from backbones.importing.options import ImportOptions
from backbones.importing.tfjs_graph import GraphBuilder, Node, UnsupportedOperatorError
from backbones.importing.tfjs_operators import CONVERTERS
from backbones.importing.tfjs_weights import CONVERT_HINT, TfjsModel, read_tfjs

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

FILE_FORMAT = "TensorFlow.js graph"
OPSET, IR = 17, 8
FLOAT32 = 1


def import_tfjs(path: Path, name: str, checkpoints: Path, options: ImportOptions) -> Path:
    """Import a TensorFlow.js graph model as an entry that runs through ONNX Runtime; see `import_onnx`.

    Parameters
    ----------
    path : Path
        The JSON file, usually `model.json`, next to its binary files.
    name : str
        Name of the entry.
    checkpoints : Path
        Folder of the trained and imported backbones (entries).
    options : ImportOptions
        Settings that the file does not contain. `embedding` and `scores` may name any node of the graph.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If a file is missing or damaged, the graph has operators that are not supported, options are missing, or
        another entry has this name.
    """
    path = Path(path)
    validate_entry_name(name)
    original = read_tfjs(path)
    model = convert_tfjs(original, path, (options.embedding, options.scores))
    file = GraphFile(path, model, FILE_FORMAT, is_changed=True, sha256=original.sha256)
    return import_graph(file, name, checkpoints, options)


def convert_tfjs(model: TfjsModel, path: Path, further: Iterable[str | None] = ()) -> ModelProto:
    """Convert a model to ONNX; the input stays as in the original, float32 with channels last.

    Parameters
    ----------
    model : TfjsModel
        The model.
    path : Path
        Its file, for messages.
    further : iterable of str or None
        Names of nodes that are converted in addition to those on which the outputs depend.

    Returns
    -------
    ModelProto
        The converted model; its tensors have the names of the nodes that compute them.

    Raises
    ------
    BackboneError
        If an operator is not supported or a node is missing.
    """
    from onnx import helper

    try:
        nodes = {node.name: node for node in map(Node.parse, model.nodes)}
        outputs = [name for name in model.outputs if name in nodes] or _terminal_nodes(nodes)
        targets = dict.fromkeys([*outputs, *(name for name in further if name in nodes)])
        graph, inputs = _convert_nodes(nodes, list(targets), model, path)
    except UnsupportedOperatorError as error:
        raise BackboneError(f"{path} cannot be read: {error.message}", CONVERT_HINT) from error
    except BackboneError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BackboneError(f"{path} is damaged ({printable(str(error))})", "download it again") from error
    ports = [helper.make_tensor_value_info(name, FLOAT32, None) for name in outputs if name not in graph.constants]
    return helper.make_model(
        helper.make_graph(graph.nodes, "tfjs", inputs, ports, list(graph.initializers.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="framelight",
    )


def _terminal_nodes(nodes: Mapping[str, Node]) -> list[str]:
    used = {name for node in nodes.values() for name in node.inputs}
    return [name for name, node in nodes.items() if name not in used and node.operator not in ("Const", "NoOp")]


def _convert_nodes(
    nodes: Mapping[str, Node], targets: Sequence[str], model: TfjsModel, path: Path
) -> tuple[GraphBuilder, list[ValueInfoProto]]:
    graph, inputs = GraphBuilder({}), []
    for node in _in_order(nodes, targets):
        if node.operator == "Placeholder":
            inputs.append(_input_port(node))
        elif node.operator == "Const":
            if node.name not in model.weights:
                raise BackboneError(f"{path} has no values for the constant '{printable(node.name)}'")
            graph.constants[node.name] = model.weights[node.name]
        elif node.operator in CONVERTERS:
            CONVERTERS[node.operator](graph, node)
        else:
            raise UnsupportedOperatorError(
                f"'{printable(node.name)}' is a {printable(node.operator)}, an operator that is not supported"
            )
    return graph, inputs


def _in_order(nodes: Mapping[str, Node], targets: Sequence[str]) -> list[Node]:
    """Return the nodes on which the targets depend, each after its inputs."""
    done: dict[str, Node] = {}
    open_names: set[str] = set()
    stack = list(reversed(targets))
    while stack:
        name = stack[-1]
        missing = [source for source in nodes[name].inputs if source not in done]
        if name in done or not missing:
            done.setdefault(name, nodes[name])
            open_names.discard(stack.pop())
            continue
        if name in open_names:
            raise UnsupportedOperatorError(f"'{printable(name)}' is part of a loop")
        open_names.add(name)
        stack.extend(reversed(missing))
    return list(done.values())


def _input_port(node: Node) -> ValueInfoProto:
    from onnx import helper

    shape = node.attributes["shape"]["shape"].get("dim", [])
    sizes: list[Any] = [int(dim.get("size", -1)) for dim in shape]
    dims = [size if size > 0 else f"free_{axis}" for axis, size in enumerate(sizes)]
    return helper.make_tensor_value_info(node.name, FLOAT32, dims)
