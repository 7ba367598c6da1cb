"""What is wrong with a data folder, where, and how badly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.data.label_counts import LabelCounts
from harness.utils.errors import InputError

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Problem:
    """One fault. `error`: a run on this data must not go on. `warning`: it can, and says what it loses.

    kind: a short name shared by faults of one sort; line: 1-based, or None where the whole file is meant.
    """

    severity: str
    kind: str
    message: str
    file: Path
    line: int | None = None

    def location(self, root: Path | None = None) -> str:
        """`file:line`, relative to `root` when the file lies under it."""
        inside = root is not None and self.file != root and self.file.is_relative_to(root)
        name = str(self.file.relative_to(root)) if inside else str(self.file)
        return name if self.line is None else f"{name}:{self.line}"

    def to_exception(self) -> InputError:
        return InputError(f"{self.location()}: {self.message}")


class ProblemReport:
    """A report's problems by how bad they are."""

    root: Path
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Faults that a run must not go on with; the command exits with 2 when there are any."""
        return tuple(problem for problem in self.problems if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == WARNING)


@dataclass(frozen=True)
class TestSplit:
    """The test list of a task: sequences named, and those of them that have a crop."""

    __test__ = False

    task: str
    sequences: int
    cropped: int


@dataclass(frozen=True)
class DatasetReport(ProblemReport):
    """What was found. images: files looked at; crops: those without a fault; problems: errors first."""

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
