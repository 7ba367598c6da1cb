"""What `framelight data check` found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.data.counts import Counts
from harness.data.problems import Problem, WithProblems


@dataclass(frozen=True)
class TestSplit:
    """The test list of a task: sequences named, and those of them that have a crop."""

    __test__ = False

    task: str
    sequences: int
    cropped: int


@dataclass(frozen=True)
class Report(WithProblems):
    """What was found. images: files looked at; crops: those without a fault; problems: errors first."""

    root: Path
    name: str
    layout: str
    noun: str
    temporal: bool
    contents: tuple[tuple[str, str], ...]
    sequences: int
    images: int
    crops: int
    counts: tuple[Counts, ...]
    tests: tuple[TestSplit, ...]
    problems: tuple[Problem, ...]
