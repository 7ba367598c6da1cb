"""Open and run ONNX Runtime sessions on the CPU with readable errors. This module does not import torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

FATAL_SEVERITY = 4
MAX_REASON_LENGTH = 300


def open_session(path: Path, threads: int, content: bytes | None = None) -> InferenceSession:
    """Open a session on the CPU.

    Parameters
    ----------
    path : Path
        The ONNX file.
    threads : int
        Threads that one run uses.
    content : bytes, optional
        The model, if it is not read from the file; `path` is then for messages only.

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
        return onnxruntime.InferenceSession(content or str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        raise BackboneError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {path} ({_format_reason(error)})",
            "export it again, or upgrade onnxruntime",
        ) from error


def run_session(
    session: InferenceSession, ports: tuple[str, ...], pixels: np.ndarray, path: Path, limit_s: float | None = None
) -> list[np.ndarray]:
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
    limit_s : float, optional
        Time limit in seconds, checked between two nodes of the graph. Default: no limit.

    Returns
    -------
    list of ndarray
        The outputs.

    Raises
    ------
    BackboneError
        If ONNX Runtime cannot run the model or exceeds the time limit.
    """
    expired = threading.Event()
    try:
        with nullcontext() if limit_s is None else _time_limit(limit_s, expired) as options:
            return [np.asarray(array) for array in session.run(list(ports[1:]), {ports[0]: pixels}, options)]
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        if expired.is_set():
            raise BackboneError(
                f"{path} does not run within {limit_s:g} s on {' x '.join(map(str, pixels.shape))} inputs",
                "export a smaller network",
            ) from error
        raise BackboneError(
            f"{path} does not run on {' x '.join(map(str, pixels.shape))} inputs ({_format_reason(error)})",
            "export it again",
        ) from error


@contextmanager
def _time_limit(limit_s: float, expired: threading.Event) -> Iterator[RunOptions]:
    """Yield options that stop a run after `limit_s` seconds; `expired` is set at that time."""
    import onnxruntime

    options = onnxruntime.RunOptions()

    def stop() -> None:
        expired.set()
        options.terminate = True

    timer = threading.Timer(limit_s, stop)
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def _format_reason(error: Exception) -> str:
    text = printable(" ".join(str(error).split()), MAX_REASON_LENGTH + 1)
    return text if len(text) <= MAX_REASON_LENGTH else f"{text[:MAX_REASON_LENGTH]} ..."
