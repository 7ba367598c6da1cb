"""Measurements of the parts that must be fast, each beside the naive way in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from harness.bench.figure import Figure
from harness.utils.errors import unknown

SCALE = "scale"
"""The benchmark that is run only by its name: it writes gigabytes."""
MOBILE = "mobile"
"""Another: it takes a quarter of an hour, and its table is its own (`harness.bench.mobile.rows`)."""
NAMES = ("startup", "forward", "parity", "extraction", "notebook", "reading", "training", "together", "search",
         "smoothing", "bootstrap", "leaderboard", "memory", "tracking", "predicting")
"""One module each, in the order they run; `measure(say)` yields its figures."""


def measurements(name: str | None, say: Callable[[str], None], **options: Any) -> Iterator[Figure]:
    """The figures of one benchmark, or of all of NAMES; options: what its `measure` takes besides.

    InputError for an unknown name, at once.
    """
    if name is not None and name not in (*NAMES, SCALE):
        raise unknown("benchmark", name, (*NAMES, SCALE, MOBILE))
    return _measured(NAMES if name is None else (name,), say, options)


def _measured(names: tuple[str, ...], say: Callable[[str], None], options: dict[str, Any]) -> Iterator[Figure]:
    for name in names:
        say(f"measuring {name}")
        yield from import_module(f"harness.bench.{name}").measure(say, **options)
