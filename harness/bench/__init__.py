"""Measurements of the parts that must be fast, each beside the naive way in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from harness.bench.figure import Figure
from harness.errors import unknown

NAMES = ("startup", "smoothing", "leaderboard", "memory", "tracking")
"""One module each, in the order they run; `measure(say)` yields its figures."""


def measurements(name: str | None, say: Callable[[str], None]) -> Iterator[Figure]:
    """The figures of one benchmark, or of all."""
    if name is not None and name not in NAMES:
        raise unknown("benchmark", name, NAMES)
    for chosen in NAMES if name is None else (name,):
        say(f"measuring {chosen}")
        yield from import_module(f"harness.bench.{chosen}").measure(say)
