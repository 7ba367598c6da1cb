"""LiteRT format, Android's runtime: one crop of fixed size per call, run by XNNPACK on the CPU."""

from __future__ import annotations

import functools
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import printable
from harness.export.formats import Model, file_name
from harness.export.quiet import conversion, suppress_output
from harness.export.single_crop import single_crop_model
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from ai_edge_quantizer.quantizer import Quantizer

    from harness.export.network import ExportNetwork


CROPS = "crops"
SIGNATURE = "serving_default"
INT8_SCOPES = r"^(?!.*Heads_heads)(?!.*LocalContrast).*Backbone_backbone"
"""Scopes of the operations that are quantized to int8. Heads stay float32: they decide the labels at negligible cost.
LocalContrast stays float32 because it divides by a standard deviation that int8 would round to zero."""


class LiteRt:
    """LiteRT files (.tflite).

    float16 stores float16 weights and computes in float32 on processors without float16 arithmetic. int8
    quantization is static: the backbone's weights are quantized per channel and its activations per tensor; the heads
    stay float32.
    """

    name, suffix = "litert", ".tflite"
    precisions: tuple[str, ...] = ("float32", "float16", "int8")
    packages: tuple[str, ...] = ("ai-edge-litert", "numpy", "pillow")
    runtime = "ai_edge_litert.interpreter"
    example = (
        "ai_edge_litert.interpreter as litert",
        'outputs = litert.Interpreter(file).get_signature_runner()(crops=crop)["outputs"][0]',
    )

    def missing(self) -> str:
        """Return what to install so that the format can be written, or "" if nothing is missing."""
        modules = {"litert_torch": "litert-torch", "ai_edge_litert": "ai-edge-litert"}
        missing = [package for module, package in modules.items() if not find_spec(module)]
        return f"pip install {' '.join(missing)} (or 'framelight[deploy]')" if missing else ""

    def any_size(self, network: ExportNetwork) -> bool:
        """Return False: the input size is fixed."""
        return False

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write a model file; see `Format.write`."""
        path = Path(folder) / file_name(self, precision)
        with conversion(network, "LiteRT", precision):
            model = _convert(network, embedding)
            if precision != "float32":
                model = _quantize(model, precision, calibration)
        path.write_bytes(model)
        return path

    def open(self, path: Path, threads: int = 1) -> Model:
        """Open a model file; see `Format.open`."""
        from ai_edge_litert.interpreter import Interpreter

        try:
            with suppress_output():
                interpreter = Interpreter(str(path), num_threads=threads)
                interpreter.allocate_tensors()
                runner = interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise FramelightError(f"LiteRT cannot open {path} ({printable(str(error))}); export it again") from error
        size = runner.get_input_details()[CROPS]["shape"][1]
        return single_crop_model(path, size, lambda crop: runner(**{CROPS: crop}))

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return the files that the export consists of: only `path`."""
        return (path,)


@functools.lru_cache(maxsize=1)
def _convert(network: ExportNetwork, embedding: bool) -> bytes:
    """Convert to a float32 file; cached, since every precision starts from it."""
    import litert_torch
    import torch

    from harness.export.network import NamedOutputs

    crops = torch.zeros((1, network.size, network.size, 3), dtype=torch.uint8)
    converted = litert_torch.convert(NamedOutputs(network, embedding), sample_kwargs={CROPS: crops})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        converted.export(str(path))
        return path.read_bytes()


def _quantize(model: bytes, precision: str, calibration: np.ndarray) -> bytes:
    from ai_edge_quantizer.quantizer import Quantizer

    quantizer = Quantizer(bytearray(model))
    if precision == "float16":
        _add_float16(quantizer)
        return bytes(quantizer.quantize(enable_progress_report=False).quantized_model)
    quantizer.add_static_config(INT8_SCOPES, "*", activation_num_bits=8, weight_num_bits=8)
    ranges = quantizer.calibrate({SIGNATURE: [{CROPS: crop[None]} for crop in calibration]}, num_threads=1)
    return bytes(quantizer.quantize(ranges, enable_progress_report=False).quantized_model)


def _add_float16(quantizer: Quantizer) -> None:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import AlgorithmName

    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    quantizer.update_quantization_recipe(
        ".*",
        qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights, explicit_dequantize=True, compute_precision=qtyping.ComputePrecision.FLOAT
        ),
    )


FORMAT = LiteRt()
