"""What MLflow loads and serves an exported run with. It is kept with the model and needs no Framelight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

FILE = "model-float32.onnx"


class OnnxModel:
    """The file as a function; `card.json` beside it says what its outputs mean."""

    def __init__(self, folder: Path) -> None:
        self._session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
        self._crops = self._session.get_inputs()[0].name
        self._names = [port.name for port in self._session.get_outputs()]

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """uint8 [N, H, W, 3] RGB crops of faces -> what the file gives, by name, each float32 [N, ...]."""
        crops = np.ascontiguousarray(model_input, np.uint8)
        return dict(zip(self._names, self._session.run(None, {self._crops: crops})))


def _load_pyfunc(path: str) -> OnnxModel:
    return OnnxModel(Path(path))
