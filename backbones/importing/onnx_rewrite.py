"""Rewrite an ONNX graph so that it takes a batch of float32 RGB crops, channels first, and returns their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.errors import BackboneError, printable
from backbones.importing.options import LUMA, ImportOptions
from backbones.onnx_dequantization import dequantize_weights

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

FLOAT32 = 1
"""Element type of float32 tensors in ONNX."""
MAX_PIXELS = 2**26
PIXELS, POOLED = "framelight_pixels", "framelight_pooled"
"""Names of the input and of the output that are added to a graph."""


@dataclass(frozen=True)
class ImageInput:
    """Input of a graph that is a batch of square images.

    Attributes
    ----------
    name : str
        Name of the input.
    layout : str
        `nchw` or `nhwc`.
    channels : int
        1 or 3.
    size : int
        Height and width in pixels.
    batch : int or None
        Number of images per run; None for any.
    declared : int or None
        Height and width in the file; None if it does not fix them.
    """

    name: str
    layout: str
    channels: int
    size: int
    batch: int | None
    declared: int | None = None


def simplify_graph(graph: GraphProto) -> bool:
    """Remove inputs that nothing uses and dequantize block-quantized weights; return whether the graph changed."""
    used = {name for node in graph.node for name in node.input} | {port.name for port in graph.output}
    unused = [port for port in graph.input if port.name not in used]
    for port in unused:
        graph.input.remove(port)
    is_quantized = any(node.op_type == "DequantizeLinear" and _block_size(node) for node in graph.node)
    if is_quantized:
        dequantize_weights(graph)
    return bool(unused) or is_quantized


def _block_size(node: NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "block_size"), 0)


def read_image_input(graph: GraphProto, options: ImportOptions, path: Path) -> ImageInput:
    """Read the image input of a graph, which must be its only input.

    Parameters
    ----------
    graph : GraphProto
        The graph. If the option `size` is given, height and width of the input are set to it.
    options : ImportOptions
        `layout` is used instead of the layout that the shape suggests, `size` instead of the size in the file.
    path : Path
        The file, for the message of an error.

    Returns
    -------
    ImageInput
        The input.

    Raises
    ------
    BackboneError
        If there are other inputs, or the input is not a batch of square float32 images with one or three channels.
    """
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [port for port in graph.input if port.name not in weights]
    if len(inputs) != 1:
        names = printable(", ".join(port.name for port in inputs))
        raise BackboneError(
            f"{path} takes {len(inputs)} inputs ({names}), not one image",
            "export a network whose only input is a face crop",
        )
    port, shown = inputs[0], _format_port(inputs[0])
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in port.type.tensor_type.shape.dim]
    if port.type.tensor_type.elem_type != FLOAT32 or len(dims) != 4:
        raise BackboneError(
            f"{path} takes {shown}, not float32 [N, 3, S, S]", "export it for a batch of float32 images"
        )
    layout = options.layout or _guess_layout(dims, shown, path)
    axis = 1 if layout == "nchw" else 3
    if dims[axis] not in (1, 3):
        raise BackboneError(
            f"{path} takes {shown}, which is not a batch of images with one or three channels in layout {layout}",
            "give the other --layout, or export it for RGB or grey images",
        )
    size, declared = _set_size(port, [2, 3] if layout == "nchw" else [1, 2], options.size, path)
    if declared not in (None, size):
        del graph.value_info[:]  # these shapes are for the declared size
    batch = dims[0] if dims[0] and dims[0] > 0 else None
    if size**2 * (batch or 1) > MAX_PIXELS:
        raise BackboneError(
            f"{path} takes {shown} at once, more than {MAX_PIXELS:,} pixels", "export it for fewer or smaller images"
        )
    return ImageInput(port.name, layout, int(dims[axis] or 0), size, batch, declared)


def _guess_layout(dims: list[int | None], shown: str, path: Path) -> str:
    layouts = [layout for layout, axis in (("nchw", 1), ("nhwc", 3)) if dims[axis] in (1, 3)]
    if len(layouts) > 1:
        raise BackboneError(f"{path} takes {shown}, whose layout is ambiguous", "give --layout nchw or nhwc")
    if not layouts:
        raise BackboneError(
            f"{path} takes {shown}, which is not float32 [N, 3, S, S], [N, S, S, 3] or the same with one channel",
            "export it for RGB or grey images",
        )
    return layouts[0]


def _set_size(port: ValueInfoProto, axes: list[int], size: int | None, path: Path) -> tuple[int, int | None]:
    """Set height and width of an input to `size` if it is given; return the size, and the size in the file if any."""
    dims = [port.type.tensor_type.shape.dim[axis] for axis in axes]
    fixed = {dim.dim_value for dim in dims if dim.HasField("dim_value") and dim.dim_value > 0}
    shown = _format_port(port)
    if len(fixed) > 1:
        raise BackboneError(
            f"{path} takes {shown}, but only square images are supported", "export it for square images"
        )
    if size is None and not all(dim.HasField("dim_value") and dim.dim_value > 0 for dim in dims):
        raise BackboneError(
            f"{path} does not fix the size of its input: it takes {shown}",
            "give the size that the network was trained for, for example --size 224",
        )
    declared = next(iter(fixed), None)
    value = size or declared
    assert value is not None
    for dim in dims:
        dim.dim_value = value
    return value, declared


def _format_port(port: ValueInfoProto) -> str:
    from onnx import TensorProto

    tensor = port.type.tensor_type
    kind = TensorProto.DataType.Name(tensor.elem_type).lower() if port.type.HasField("tensor_type") else "no tensor"
    dims = (str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim)
    return printable(f"{port.name}: {'float32' if kind == 'float' else kind} [{', '.join(dims)}]")


def wrap_input(graph: GraphProto, image: ImageInput, channels: str) -> str | None:
    """Put nodes before the input so that the graph takes RGB crops in layout `nchw`.

    Parameters
    ----------
    graph : GraphProto
        The graph, changed in place.
    image : ImageInput
        Its input.
    channels : str
        Channel order that the network expects: `rgb`, `bgr` or `grey`.

    Returns
    -------
    str or None
        Name of the new input; None if the graph takes such crops already.
    """
    from onnx import helper, numpy_helper

    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    constants = []
    if channels == "bgr":
        constants.append(numpy_helper.from_array(np.array([2, 1, 0]), f"{PIXELS}_order"))
        steps.append(("Gather", [constants[-1].name], {"axis": 1}))
    if channels == "grey":
        weights = np.tile(np.array(LUMA, np.float32).reshape(1, 3, 1, 1), (image.channels, 1, 1, 1))
        constants.append(numpy_helper.from_array(weights, f"{PIXELS}_luma"))
        steps.append(("Conv", [constants[-1].name], {"kernel_shape": [1, 1]}))
    if image.layout == "nhwc":
        steps.append(("Transpose", [], {"perm": [0, 2, 3, 1]}))
    if not steps:
        return None
    port = next(port for port in graph.input if port.name == image.name)
    batch = port.type.tensor_type.shape.dim[0]
    shape = [batch.dim_value if batch.HasField("dim_value") else batch.dim_param or "batch", 3, image.size, image.size]
    graph.input.remove(port)
    graph.input.append(helper.make_tensor_value_info(PIXELS, FLOAT32, shape))
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in constants]
    source = PIXELS
    for number, (operator, inputs, attributes) in enumerate(steps, start=1):
        result = image.name if number == len(steps) else f"{PIXELS}_{number}"
        nodes.append(helper.make_node(operator, [source, *inputs], [result], name=f"{result}_node", **attributes))
        source = result
    following = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *following])
    return PIXELS


def add_output(graph: GraphProto, name: str) -> None:
    """Make a tensor of the graph an output."""
    from onnx import ValueInfoProto, helper

    known = {value.name: value for value in graph.value_info}
    port = ValueInfoProto()
    port.CopyFrom(known[name] if name in known else helper.make_tensor_value_info(name, FLOAT32, None))
    graph.output.append(port)


def declare_shape(graph: GraphProto, name: str, batch: int | None, shape: Sequence[int]) -> None:
    """Declare the shape of an output if the file does not, because exports need it; `shape` has no batch axis."""
    port = next(port for port in graph.output if port.name == name)
    if port.type.tensor_type.HasField("shape"):
        return
    first = port.type.tensor_type.shape.dim.add()
    if batch is None:
        first.dim_param = "batch"
    else:
        first.dim_value = batch
    for length in shape:
        port.type.tensor_type.shape.dim.add().dim_value = length


def add_pooled_output(graph: GraphProto, name: str, channels: int) -> str:
    """Add the average of a feature map over height and width as an output; return the name of the output."""
    from onnx import helper

    graph.node.append(helper.make_node("GlobalAveragePool", [name], [f"{POOLED}_map"]))
    graph.node.append(helper.make_node("Flatten", [f"{POOLED}_map"], [POOLED], axis=1))
    graph.output.append(helper.make_tensor_value_info(POOLED, FLOAT32, ["batch", channels]))
    return POOLED


def serialize(model: ModelProto) -> bytes:
    """Return the bytes of a model, which are the same for equal models."""
    return bytes(model.SerializeToString(deterministic=True))
