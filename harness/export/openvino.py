"""OpenVINO format: an .xml and a .bin file that take any number of crops of the input size."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.export.formats import Model, file_name
from harness.export.onnx_preprocessing import CROPS

if TYPE_CHECKING:
    from harness.export.network import ExportNetwork


class OpenVino:
    """OpenVINO files (.xml with .bin)."""

    name, suffix = "openvino", ".xml"
    precisions: tuple[str, ...] = ("float32", "float16", "int8")
    packages: tuple[str, ...] = ("openvino", "numpy", "pillow")
    runtime = "openvino"
    example = (
        "openvino",
        'model = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})\n'
        'outputs = model({"crops": crop})["outputs"][0]',
    )

    def missing(self) -> str:
        """Return what to install so that the format can be written, or "" if it can."""
        if not find_spec("openvino"):
            return "pip install 'framelight[openvino]'"
        return "" if find_spec("onnx") and find_spec("onnxscript") else "pip install onnx onnxscript"

    def any_size(self, network: ExportNetwork) -> bool:
        """Return False: OpenVINO computes in float32, but Pillow's resizing needs float64."""
        return False

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write a model file; see `Format.write`."""
        import onnx
        import openvino

        from harness.export.onnx import onnx_model

        path = Path(folder) / file_name(self, precision)
        with tempfile.TemporaryDirectory() as temp_dir:
            onnx_path = Path(temp_dir, "model.onnx")
            model = onnx_model(
                network, "int8" if precision == "int8" else "float32", calibration, embedding, resizing=False
            )
            onnx.save(model, onnx_path)
            model = openvino.Core().read_model(onnx_path)  # convert_model would report its use to the vendor
            openvino.save_model(model, path, compress_to_fp16=precision == "float16")
        return path

    def open(self, path: Path, threads: int = 1) -> Model:
        """Open a model file; see `Format.open`."""
        import openvino

        compiled = openvino.Core().compile_model(
            path,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            },
        )  # a thread that is pinned to a core waits for other processes on that core
        names = [port.any_name for port in compiled.outputs]

        def run(crops: np.ndarray) -> dict[str, np.ndarray]:
            outputs = compiled({CROPS: np.ascontiguousarray(crops)})
            return {name: np.array(outputs[name]) for name in names}

        return run

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return the .xml and the .bin file."""
        return (path, path.with_suffix(".bin"))


FORMAT = OpenVino()
