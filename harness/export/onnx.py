"""ONNX format, run by ONNX Runtime. Files take any number of crops, of any size if `Onnx.any_size` returns True."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.export.formats import Model, file_name
from harness.export.onnx_preprocessing import CROPS, can_resize
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from onnx import ModelProto

    from harness.export.network import ExportNetwork


class Onnx:
    """ONNX files (.onnx)."""

    name, suffix = "onnx", ".onnx"
    precisions: tuple[str, ...] = ("float32", "float16", "int8")
    packages: tuple[str, ...] = ("onnxruntime", "numpy", "pillow")
    runtime = "onnxruntime"
    example = ("onnxruntime", 'outputs = onnxruntime.InferenceSession(file).run(["outputs"], {"crops": crop})[0][0]')

    def missing(self) -> str:
        """Return the command that installs missing packages, or "" if the format can be written."""
        missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if not find_spec(name)]
        return f"pip install {' '.join(missing)}" if missing else ""

    def any_size(self, network: ExportNetwork) -> bool:
        """Return whether the file can resize crops as the backbone's preprocessing does."""
        return can_resize(network.backbone.spec.preprocessing)

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write a model file; see `Format.write`."""
        import onnx

        path = Path(folder) / file_name(self, precision)
        onnx.save(onnx_model(network, precision, calibration, embedding, self.any_size(network)), path)
        return path

    def open(self, path: Path, threads: int = 1) -> Model:
        """Open a model file; see `Format.open`."""
        from backbones.onnx_graph import read_graph
        from backbones.onnx_session import open_session

        read_graph(path).require_no_loops(path)
        session = open_session(path, threads)
        names = [port.name for port in session.get_outputs()]
        shape = session.get_inputs()[0].shape

        def run(crops: np.ndarray) -> dict[str, np.ndarray]:
            if any(isinstance(fixed, int) and fixed != size for fixed, size in zip(shape, crops.shape)):
                raise FramelightError(f"{path} takes crops of shape {shape}, not {list(crops.shape)}")
            return dict(zip(names, session.run(names, {CROPS: crops})))

        return run

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return the files that the export consists of: only `path`."""
        return (path,)


def onnx_model(
    network: ExportNetwork, precision: str, calibration: np.ndarray, embedding: bool, resizing: bool
) -> ModelProto:
    """Build the full graph in one precision and validate it.

    Parameters
    ----------
    network : ExportNetwork
    precision : {"float32", "float16", "int8"}
    calibration : ndarray of shape (M, S, S, 3)
        uint8 training crops that calibrate int8.
    embedding : bool
        Whether the file returns the backbone's embedding too.
    resizing : bool
        See `preprocessing_graph`.
    """
    import onnx

    from backbones.onnx_metadata import strip_metadata
    from harness.export.onnx_graph import backbone_graph, full_graph
    from harness.export.quantization import quantize_static_int8, to_float16

    model = backbone_graph(network, embedding)
    if precision == "float16":
        model = to_float16(model)
    elif precision == "int8":
        model = quantize_static_int8(model, network.backbone.spec.preprocessing, calibration)
    model = strip_metadata(full_graph(network, model, resizing))
    onnx.checker.check_model(model)
    return model


FORMAT = Onnx()
