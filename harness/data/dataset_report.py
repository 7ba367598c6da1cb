"""The report of `check_dataset` for a dataset with labeled sequences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.data.label_counts import LabelCounts
from harness.data.problems import Problem, ProblemReport


@dataclass(frozen=True)
class TestSplit:
    """Size of the test split of a task.

    Attributes
    ----------
    task : str
    sequences : int
        Number of sequences.
    cropped : int
        Number of sequences that have at least one readable crop.
    """

    __test__ = False

    task: str
    sequences: int
    cropped: int


@dataclass(frozen=True)
class DatasetReport(ProblemReport):
    """Result of `check_dataset` for a dataset with labeled sequences.

    Attributes
    ----------
    root : Path
    name : str
    layout : str
        Description of the layout.
    noun : str
        Word for a unit (what is split and resampled): `video` or `subject`.
    temporal : bool
        Whether consecutive frames are consecutive in time.
    summary : tuple of (str, str)
        Label and text of each line of the summary.
    sequences : int
        Number of sequences.
    images : int
        Number of image files.
    crops : int
        Number of image files without a problem.
    counts : tuple of LabelCounts
    tests : tuple of TestSplit
    problems : tuple of Problem
        Errors first.
    turned : int, default 0
        Number of image files that are turned upright by their EXIF orientation.
    """

    root: Path
    name: str
    layout: str
    noun: str
    temporal: bool
    summary: tuple[tuple[str, str], ...]
    sequences: int
    images: int
    crops: int
    counts: tuple[LabelCounts, ...]
    tests: tuple[TestSplit, ...]
    problems: tuple[Problem, ...]
    turned: int = 0
