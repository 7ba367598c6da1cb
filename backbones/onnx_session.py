"""ONNX Runtime's sessions on the CPU, with its errors made readable; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SILENT = 4
LONGEST_REASON = 300


def open_session(path: Path, threads: int) -> InferenceSession:
    """A session on the CPU with that many threads; BackboneError with the runtime's reason when there can be none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = SILENT
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions have no common base
        raise BackboneError(f"ONNX Runtime {onnxruntime.__version__} cannot open {path} ({_reason(error)})",
                            "export it again, or upgrade onnxruntime") from error


def call(session: InferenceSession, ports: tuple[str, ...], pixels: np.ndarray, path: Path) -> list[np.ndarray]:
    """One run; ports: the input's name, then the outputs' names. BackboneError with the runtime's reason."""
    try:
        return [np.asarray(array) for array in session.run(list(ports[1:]), {ports[0]: pixels})]
    except Exception as error:  # the runtime's own exceptions have no common base
        raise BackboneError(f"{path} does not run on {' x '.join(map(str, pixels.shape))} values ({_reason(error)})",
                            "export it again") from error


def _reason(error: Exception) -> str:
    text = printable(" ".join(str(error).split()), LONGEST_REASON + 1)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."
