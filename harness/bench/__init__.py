"""Benchmarks of the performance-critical parts, each compared with a baseline in the same run or with a fixed limit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from harness.bench.figure import Measurement
from harness.utils.errors import unknown_name_error

logger = logging.getLogger(__name__)

SCALE = "scale"
"""Benchmark that runs only if it is named, because it writes gigabytes."""
TABLES = ("mobile", "coverage", "errors")
"""Further benchmarks, which take minutes and have their own tables. Each is a module of this package with the functions
`measure_rows` and `render`.
"""
BENCHMARKS = {
    "startup": "commands.measure_startup",
    "forward": "forward.measure",
    "parity": "forward.measure_parity",
    "extraction": "extraction.measure",
    "notebook": "notebook.measure",
    "reading": "feature_reading.measure",
    "training": "training.measure",
    "load": "loaded_training.measure",
    "together": "batched_training.measure",
    "search": "search.measure",
    "smoothing": "smoothing.measure",
    "interval": "interval.measure",
    "leaderboard": "commands.measure_leaderboard",
    "memory": "memory.measure",
    "tracking": "tracking.measure",
    "predicting": "predict.measure",
    "detector": "detector.measure",
    SCALE: "scale.measure",
}
"""Module and function of each benchmark in the order in which they run; the function yields measurements."""
NAMES = tuple(name for name in BENCHMARKS if name != SCALE)


def run_benchmarks(name: str | None, **options: Any) -> Iterator[Measurement]:
    """Run one benchmark, or all of `NAMES` if no name is given.

    Parameters
    ----------
    name : str or None
    **options
        Passed to the benchmark's function.

    Returns
    -------
    iterator of Measurement

    Raises
    ------
    InputError
        If the name is unknown; raised before anything runs.
    """
    if name is not None and name not in (*NAMES, SCALE):
        raise unknown_name_error("benchmark", name, (*NAMES, SCALE, *TABLES))
    return _iter_measurements(NAMES if name is None else (name,), options)


def _iter_measurements(names: tuple[str, ...], options: dict[str, Any]) -> Iterator[Measurement]:
    for name in names:
        logger.info(f"measuring {name}")
        module, function = BENCHMARKS[name].split(".")
        yield from getattr(import_module(f"harness.bench.{module}"), function)(**options)
