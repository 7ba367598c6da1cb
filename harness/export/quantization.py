"""Convert ONNX graphs: store weights as float16, or quantize statically to int8 with calibration crops."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.engines.onnx_engine import EXPORTER_LOGGERS
from backbones.preprocessing import normalize
from backbones.quiet_loggers import quiet_loggers
from backbones.spec import Preprocessing
from harness.export.onnx_graph import BACKBONE
from harness.export.onnx_preprocessing import PIXELS
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from onnx import ModelProto


BATCH = 16
QUANTIZED_OPS = ("Conv", "Gemm", "MatMul")
FLOAT16_MAX = float(np.finfo(np.float16).max)


def to_float16(model: ModelProto) -> ModelProto:
    """Store weights of two or more axes as float16 and cast them to float32 where they are used.

    This about halves the size of the file, and also works on processors without float16 arithmetic. Weights beyond the
    float16 range stay float32.
    """
    import onnx
    from onnx import helper, numpy_helper

    result, casts = onnx.ModelProto(), []
    result.CopyFrom(model)
    for tensor in result.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if np.abs(values).max(initial=0.0) > FLOAT16_MAX:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def quantize_static_int8(model: ModelProto, preprocessing: Preprocessing, calibration: np.ndarray) -> ModelProto:
    """Quantize the backbone's convolutions and matrix products to int8.

    Other layers stay float32. Normalization layers, for example, add a small constant that int8 would round to zero.
    The heads stay float32, too.

    Parameters
    ----------
    model : ModelProto
        Result of `backbone_graph`.
    preprocessing : Preprocessing
        Preprocessing of the backbone.
    calibration : ndarray of shape (M, S, S, 3)
        uint8 crops, M >= 1.

    Raises
    ------
    FramelightError
        If the network cannot be quantized.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, quiet_loggers(EXPORTER_LOGGERS, logging.WARNING):
        float_path, int8_path = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, float_path)
        try:
            quantize_static(
                float_path,
                int8_path,
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
        except Exception as error:  # the quantizer's own exceptions have no common base
            raise FramelightError(
                f"this network cannot be quantized to int8 ({error}); leave int8 out: "
                "--precision float32 --precision float16"
            ) from error
        return onnx.load(int8_path)


class _CalibrationReader:
    """Reader that yields batches of normalized crops to the quantizer."""

    def __init__(self, preprocessing: Preprocessing, crops: np.ndarray) -> None:
        self.batches = self._batches(preprocessing, crops)

    @staticmethod
    def _batches(preprocessing: Preprocessing, crops: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(crops), BATCH):
            yield {PIXELS: np.ascontiguousarray(normalize(crops[start : start + BATCH], preprocessing))}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)
