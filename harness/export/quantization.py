"""ONNX graphs in fewer bits: weights kept as float16, and int8 with ranges set by calibration crops."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.preprocessing import normalize
from harness.export.onnx_graph import BACKBONE
from harness.export.onnx_preprocessing import PIXELS
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from onnx import ModelProto

    from backbones.spec import Preprocessing

BATCH = 16
QUANTIZED_OPS = ("Conv", "Gemm", "MatMul")
FLOAT16_MAX = float(np.finfo(np.float16).max)


def to_float16(model: ModelProto) -> ModelProto:
    """Weights of two or more axes as float16, brought back to float32 where they are used; the rest as it is.

    Processors without float16 arithmetic then compute as ever on half the bytes.
    """
    import onnx
    from onnx import helper, numpy_helper

    made, casts = onnx.ModelProto(), []
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if np.abs(values).max(initial=0.0) > FLOAT16_MAX:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def quantize_static_int8(model: ModelProto, preprocessing: Preprocessing, calibration: np.ndarray) -> ModelProto:
    """The backbone's layers that hold weights in int8. What lies between them stays float32 (a sum with a small
    constant, as in the normalisation of a picture, is lost in eight bits), and so do the heads.

    calibration: uint8 [M, S, S, 3], M >= 1.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, taken = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, given)
        try:
            quantize_static(
                given,
                taken,
                _CalibrationReader(preprocessing, calibration),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"CalibMovingAverage": True},
                op_types_to_quantize=list(QUANTIZED_OPS),
                nodes_to_quantize=[node.name for node in model.graph.node if node.name.startswith(BACKBONE)],
            )
        except Exception as error:  # the quantiser's own exceptions have no common base
            raise FramelightError(
                f"int8 cannot be made of this network ({error}); leave it out: --precision float32 --precision float16"
            ) from error
        return onnx.load(taken)


class _CalibrationReader:
    """What the quantiser reads: batches of prepared crops, by the name of the graph's input."""

    def __init__(self, preprocessing: Preprocessing, crops: np.ndarray) -> None:
        self.batches = self._batches(preprocessing, crops)

    @staticmethod
    def _batches(preprocessing: Preprocessing, crops: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(crops), BATCH):
            yield {PIXELS: np.ascontiguousarray(normalize(crops[start : start + BATCH], preprocessing))}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
