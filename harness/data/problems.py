"""Problems of a data folder, with file, line and severity, and the base class of reports that collect them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.utils.errors import InputError

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Problem:
    """One problem of a data folder.

    Attributes
    ----------
    severity : {"error", "warning"}
        A run refuses data with an error that concerns its task. It accepts data with warnings; each message says what
        is lost.
    kind : str
        Short name shared by problems of one kind.
    message : str
    file : Path
    line : int or None
        1-based; None if the problem concerns the whole file.
    """

    severity: str
    kind: str
    message: str
    file: Path
    line: int | None = None

    def location(self, root: Path | None = None) -> str:
        """Return `file:line`, or the file if there is no line; relative to `root` if the file is inside it."""
        name = str(self.file)
        if root is not None and self.file != root and self.file.is_relative_to(root):
            name = str(self.file.relative_to(root))
        return name if self.line is None else f"{name}:{self.line}"

    def to_exception(self) -> InputError:
        """Return an InputError with the location and the message."""
        return InputError(f"{self.location()}: {self.message}")


def unreadable_folder(folder: Path, error: OSError) -> Problem:
    """Return the problem of a folder that cannot be listed."""
    return Problem(ERROR, "unreadable", f"cannot be listed: {error.strerror}", folder)


def first_error(problems: Sequence[Problem]) -> InputError:
    """Return an InputError for the first problem, with the number of further problems."""
    others = len(problems) - 1
    if not others:
        return problems[0].to_exception()
    noun = "problem" if others == 1 else "problems"
    return InputError(f"{problems[0].to_exception()} (and {others:,} more {noun}; `framelight data check` lists them)")


def select_errors(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems that are errors."""
    return (problem for problem in problems if problem.severity == ERROR)


def require_no_errors(problems: Iterable[Problem]) -> None:
    """Raise the InputError of `first_error` if there is an error among the problems."""
    if errors := list(select_errors(problems)):
        raise first_error(errors)


class ProblemReport:
    """Base class of reports; separates problems by severity.

    Attributes
    ----------
    root : Path
    problems : tuple of Problem
    """

    root: Path
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that make a run refuse the data; `framelight data check` exits with 2 if there are any."""
        return tuple(select_errors(self.problems))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that a run can continue with."""
        return tuple(problem for problem in self.problems if problem.severity == WARNING)
