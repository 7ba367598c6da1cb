"""Open and run ONNX Runtime sessions on the CPU with readable errors. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FATAL_SEVERITY = 4
MAX_REASON_LENGTH = 300


def open_session(path: Path, threads: int) -> InferenceSession:
    """Open a session on the CPU.

    Parameters
    ----------
    path : Path
        The ONNX file.
    threads : int
        Threads that one run uses.

    Returns
    -------
    InferenceSession
        The session.

    Raises
    ------
    BackboneError
        If ONNX Runtime cannot open the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = FATAL_SEVERITY
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        raise BackboneError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {path} ({_format_reason(error)})",
            "export it again, or upgrade onnxruntime",
        ) from error


def run_session(session: InferenceSession, ports: tuple[str, ...], pixels: np.ndarray, path: Path) -> list[np.ndarray]:
    """Run a session once.

    Parameters
    ----------
    session : InferenceSession
        The session.
    ports : tuple of str
        Name of the input, then names of the outputs.
    pixels : ndarray
        The input.
    path : Path
        The ONNX file, for the message of an error.

    Returns
    -------
    list of ndarray
        The outputs.

    Raises
    ------
    BackboneError
        If ONNX Runtime cannot run the model.
    """
    try:
        return [np.asarray(array) for array in session.run(list(ports[1:]), {ports[0]: pixels})]
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        raise BackboneError(
            f"{path} does not run on {' x '.join(map(str, pixels.shape))} inputs ({_format_reason(error)})",
            "export it again",
        ) from error


def _format_reason(error: Exception) -> str:
    text = printable(" ".join(str(error).split()), MAX_REASON_LENGTH + 1)
    return text if len(text) <= MAX_REASON_LENGTH else f"{text[:MAX_REASON_LENGTH]} ..."
