"""Measurements of the parts that must be fast, each beside the naive way in the same run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from harness.bench.figure import Measurement
from harness.utils.errors import unknown_name_error

logger = logging.getLogger(__name__)

SCALE = "scale"
"""The benchmark that is run only by its name: it writes gigabytes."""
MOBILE = "mobile"
"""Another: it takes a quarter of an hour, and its table is its own (`harness.bench.mobile.measure_rows`)."""
BENCHMARKS = {
    "startup": "commands.measure_startup",
    "forward": "forward.measure",
    "parity": "forward.measure_parity",
    "extraction": "extraction.measure",
    "notebook": "notebook.measure",
    "reading": "feature_reading.measure",
    "training": "training.measure",
    "together": "batched_training.measure",
    "search": "search.measure",
    "smoothing": "smoothing.measure",
    "bootstrap": "bootstrap.measure",
    "leaderboard": "commands.measure_leaderboard",
    "memory": "memory.measure",
    "tracking": "tracking.measure",
    "predicting": "predict.measure",
    SCALE: "scale.measure",
}
"""The module and function of each benchmark, in the order they run; the function yields its figures."""
NAMES = tuple(name for name in BENCHMARKS if name != SCALE)


def run_benchmarks(name: str | None, **options: Any) -> Iterator[Measurement]:
    """The figures of one benchmark, or of all of NAMES; options: what its `measure` takes besides.

    InputError for an unknown name, at once.
    """
    if name is not None and name not in (*NAMES, SCALE):
        raise unknown_name_error("benchmark", name, (*NAMES, SCALE, MOBILE))
    return _iter_measurements(NAMES if name is None else (name,), options)


def _iter_measurements(names: tuple[str, ...], options: dict[str, Any]) -> Iterator[Measurement]:
    for name in names:
        logger.info(f"measuring {name}")
        module, function = BENCHMARKS[name].split(".")
        yield from getattr(import_module(f"harness.bench.{module}"), function)(**options)
