"""MLflow loader of an exported run. This module is stored with the model and does not need Framelight."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before importing ONNX Runtime, which otherwise reports to its vendor
import onnxruntime

getattr(onnxruntime, "disable_telemetry_events", lambda: None)()  # if ONNX Runtime was imported before
FILE = "model-float32.onnx"
ROOT = Path("/")
"""Root of the file system; tests replace it."""


class OnnxModel:
    """The exported ONNX file as an MLflow model; `card.json` next to the file describes its outputs."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _allowed_processors()
        self._session = onnxruntime.InferenceSession(folder / FILE, options, providers=["CPUExecutionProvider"])
        self._crops = self._session.get_inputs()[0].name
        self._names = [port.name for port in self._session.get_outputs()]

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Compute the outputs of N face crops.

        Parameters
        ----------
        model_input : array_like of shape (N, H, W, 3)
            uint8 RGB.
        params : dict, optional
            Not used.

        Returns
        -------
        dict of str to ndarray of shape (N, ...)
            float32 arrays by name, with one row for each crop.
        """
        crops = np.ascontiguousarray(model_input, np.uint8)
        return dict(zip(self._names, self._session.run(None, {self._crops: crops})))


def _allowed_processors() -> int:
    """Return how many processors this process may use; by default ONNX Runtime starts one thread for each core."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(math.ceil, _cpu_quotas())]))


def _cpu_quotas() -> Iterator[float]:
    """Yield the CPU limits, in processors, of this process's control groups and their parents (`docker run --cpus`)."""
    for line in _read(ROOT / "proc/self/cgroup").splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = ROOT / "sys/fs/cgroup" / controllers  # version 2 has one tree for all controllers
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
        inside = Path(group.lstrip("/"))
        for folder in (inside, *inside.parents):  # in a container, the group is the mount itself
            words = " ".join(_read(mount / folder / file) for file in files).split()
            if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and "0" not in words:
                yield int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _load_pyfunc(path: str) -> OnnxModel:
    return OnnxModel(Path(path))
