"""Track the training of a backbone as an MLflow run. If the tracking server fails, the training continues."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.tracking.environment import environment
from harness.tracking.serialization import MetricPoint, environment_tags, flatten_params
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.tracking.tracker import Tracker

Sent = TypeVar("Sent")


class TrainingRun:
    """Run of the training of a backbone; an unfinished run with the same key is resumed.

    Parameters
    ----------
    tracker : Tracker or None
        If None, nothing is sent.
    key : str
        Identity of the training.
    name : str
        Name of the backbone.

    Attributes
    ----------
    run_id : str or None
        MLflow's id of the run, after `start`.
    lost : str or None
        The first error of the tracker; nothing is sent after it.
    """

    def __init__(self, tracker: Tracker | None, key: str, name: str) -> None:
        self.tracker, self.key, self.name = tracker, key, name
        self.run_id: str | None = None
        self.lost: str | None = None

    def start(self, settings: Mapping[str, Any], again: bool = False) -> None:
        """Start the run.

        Parameters
        ----------
        settings : mapping
            Params of the run; JSON types, may be nested.
        again : bool
            Start a new run even if a run with this key has finished.
        """
        tags = environment_tags(environment())
        self.run_id = self._call_tracker(
            lambda tracker: tracker.start_training(self.key, self.name, flatten_params(settings), tags, again)
        )

    def log_epoch(self, stage: str, epoch: int, values: Mapping[str, float]) -> None:
        """Log a point of each curve `<stage>/<name>` at step `epoch`."""
        self._call_with_run(lambda tracker, run: tracker.log_points(run, metric_points(values, epoch, f"{stage}/")))

    def finish(
        self, curves: Iterable[MetricPoint], metrics: Mapping[str, float], data: tuple[str, str], folder: Path
    ) -> None:
        """Finish the run.

        Parameters
        ----------
        curves : iterable of (name, value, step)
            Complete curves; missing points are sent.
        metrics : mapping of str to float
            Final metrics.
        data : (str, str)
            Name and digest of the dataset.
        folder : Path
            Files to log as artifacts.
        """
        points = [*curves, *metric_points(metrics, 0)]
        self._call_with_run(lambda tracker, run: tracker.finish_training(run, self.key, points, data, folder))

    def fail(self, why: str) -> None:
        """Set the run to FAILED, with the reason as its description."""
        self._call_with_run(lambda tracker, run: tracker.end_run(run, why))

    def _call_with_run(self, call: Callable[[Tracker, str], None]) -> None:
        run_id = self.run_id
        if run_id is not None:
            self._call_tracker(lambda tracker: call(tracker, run_id))

    def _call_tracker(self, call: Callable[[Tracker], Sent]) -> Sent | None:
        if self.tracker is None or self.lost is not None:
            return None
        try:
            return call(self.tracker)
        except FramelightError as error:
            self.lost = str(error)
            return None


def metric_points(values: Mapping[str, float], step: int, prefix: str = "") -> list[MetricPoint]:
    """Return a metric at `step` for each finite number in `values`; other values are left out."""
    return [
        (f"{prefix}{name}", float(value), step)
        for name, value in values.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    ]
