"""Messages of a search: its progress, and a description of the best trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from harness.metrics.tasks import TASKS
from harness.utils.progress import Progress
from harness.utils.text import format_duration, plural

logger = logging.getLogger(__name__)

PARAMETER_NAMES = {"learning_rate": "learning rate", "shared": "hidden layer", "gaps": "gaps filled by"}
"""Names of parameters in messages; other parameters have the same name as in the study."""


class Trial(Protocol):
    """Fields that are read from a trial of Optuna."""

    @property
    def value(self) -> float | None:
        """Value of a completed trial."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the trial."""

    @property
    def state(self) -> Any:
        """`COMPLETE`, `PRUNED` or another `TrialState`."""


class SearchProgress:
    """Progress bar over the trials of a search; without a terminal, a line after each batch.

    Parameters
    ----------
    task : str
        Task of the search.
    total : int
        Number of trials.
    """

    def __init__(self, task: str, total: int) -> None:
        self.task, self.total, self.done = task, total, 0
        self._start, self._first = time.perf_counter(), 0
        self._bar = Progress(f"searching {task}", unit="trial")

    def __enter__(self) -> SearchProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def start_batch(self, done: int) -> None:
        """Set the number of trials that are done before a batch."""
        if self.done == 0:
            self._start, self._first = time.perf_counter(), done
        self.done = done
        self._bar(done, self.total)

    def count_trial(self) -> None:
        """Count a trial. A failed trial is counted, too, until the next batch starts."""
        self.done = min(self.done + 1, self.total)
        self._bar(self.done, self.total)

    def end_batch(self, trials: Sequence[Trial]) -> None:
        """Log the trials done, the best value and the time left, unless a bar is shown or the search is complete."""
        if self._bar.is_shown or self.done >= self.total:
            return
        best = max((trial.value for trial in trials if trial.value is not None), default=None)
        score = "" if best is None else f", best {TASKS[self.task].metric} {best:z.3f}"
        per_trial = (time.perf_counter() - self._start) / max(1, self.done - self._first)
        left = format_duration(per_trial * (self.total - self.done))
        logger.info(f"searching {self.task}: {self.done} of {self.total} trials{score}, about {left} left")


def describe_best(best: Trial, trials: Sequence[Trial], task: str) -> str:
    """Describe the best trial in words.

    Parameters
    ----------
    best : Trial
        The best trial.
    trials : sequence of Trial
        All trials.
    task : str
        Task of the search.

    Returns
    -------
    str
        One line with the value on the selection split and all parameters.
    """
    pruned = sum(trial.state.name == "PRUNED" for trial in trials)
    complete = sum(trial.state.name == "COMPLETE" for trial in trials)
    counts = plural(complete, "completed trial") + (f" ({pruned} more were pruned)" if pruned else "")
    parameters = ", ".join(
        f"{PARAMETER_NAMES.get(name, name)} {_format_value(value)}" for name, value in best.params.items()
    )
    return f"best of {counts}: {TASKS[task].metric} {best.value:z.3f} on the selection split with {parameters}"


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
