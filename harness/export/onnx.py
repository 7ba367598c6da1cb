"""ONNX, run by ONNX Runtime: any number of crops of any size."""

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
    name, suffix = "onnx", ".onnx"
    precisions = ("float32", "float16", "int8")
    packages = ("onnxruntime", "numpy", "pillow")
    runtime = "onnxruntime"
    example = ("onnxruntime", 'outputs = onnxruntime.InferenceSession(file).run(["outputs"], {"crops": crop})[0][0]')

    def missing(self) -> str:
        absent = [name for name in ("onnx", "onnxscript", "onnxruntime") if not find_spec(name)]
        return f"pip install {' '.join(absent)}" if absent else ""

    def any_size(self, network: ExportNetwork) -> bool:
        return can_resize(network.backbone.spec.preprocessing)

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        import onnx

        path = Path(folder) / file_name(self, precision)
        onnx.save(onnx_model(network, precision, calibration, embedding, self.any_size(network)), path)
        return path

    def open(self, path: Path, threads: int = 1) -> Model:
        from backbones.onnx_session import open_session

        session = open_session(path, threads)
        names = [port.name for port in session.get_outputs()]
        wanted = session.get_inputs()[0]

        def run(crops: np.ndarray) -> dict[str, np.ndarray]:
            if any(isinstance(own, int) and own != given for own, given in zip(wanted.shape, crops.shape)):
                raise FramelightError(f"{path} takes crops {wanted.shape}, not {list(crops.shape)}")
            return dict(zip(names, session.run(names, {CROPS: crops})))

        return run

    def parts(self, path: Path) -> tuple[Path, ...]:
        return (path,)


def onnx_model(
    network: ExportNetwork, precision: str, calibration: np.ndarray, embedding: bool, resizing: bool
) -> ModelProto:
    """The whole graph in one precision of the format, checked by ONNX (`resizing`: see `preprocessing_graph`)."""
    import onnx

    from harness.export.onnx_graph import backbone_graph, full_graph
    from harness.export.quantization import quantize_static_int8, to_float16

    made = backbone_graph(network, embedding)
    if precision == "float16":
        made = to_float16(made)
    elif precision == "int8":
        made = quantize_static_int8(made, network.backbone.spec.preprocessing, calibration)
    joined = full_graph(network, made, resizing)
    onnx.checker.check_model(joined)
    return joined


FORMAT = Onnx()
