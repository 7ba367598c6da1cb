"""A backbone's training as a tracked run. Losing the tracking server never costs the training."""

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
    """The run of the training with this `key`, of kind "backbone"; one that was begun and not ended is taken up again.

    lost: why it could not be sent, once that happened; everything after that is kept back.
    """

    def __init__(self, tracker: Tracker | None, key: str, name: str) -> None:
        self.tracker, self.key, self.name = tracker, key, name
        self.run_id: str | None = None
        self.lost: str | None = None

    def start(self, settings: Mapping[str, Any], again: bool = False) -> None:
        """settings: nested JSON types, the run's params; again: though one has finished."""
        tags = environment_tags(environment())
        self.run_id = self._call_tracker(
            lambda to: to.start_training(self.key, self.name, flatten_params(settings), tags, again)
        )

    def log_epoch(self, stage: str, epoch: int, values: Mapping[str, float]) -> None:
        """Points of the curves `<stage>/<name>` at step `epoch`."""
        self._call_with_run(lambda to, run: to.log_points(run, metric_points(values, epoch, f"{stage}/")))

    def finish(
        self, curves: Iterable[MetricPoint], metrics: Mapping[str, float], data: tuple[str, str], folder: Path
    ) -> None:
        """Send what the curves lack, final metrics, the data's (name, digest) and the files of `folder`."""
        every = [*curves, *metric_points(metrics, 0)]
        self._call_with_run(lambda to, run: to.finish_training(run, self.key, every, data, folder))

    def fail(self, why: str) -> None:
        self._call_with_run(lambda to, run: to.end_run(run, why))

    def _call_with_run(self, call: Callable[[Tracker, str], None]) -> None:
        run_id = self.run_id
        if run_id is not None:
            self._call_tracker(lambda to: call(to, run_id))

    def _call_tracker(self, call: Callable[[Tracker], Sent]) -> Sent | None:
        if self.tracker is None or self.lost is not None:
            return None
        try:
            return call(self.tracker)
        except FramelightError as error:
            self.lost = str(error)
            return None


def metric_points(values: Mapping[str, float], step: int, prefix: str = "") -> list[MetricPoint]:
    """Metrics of the finite numbers among `values`."""
    return [
        (f"{prefix}{name}", float(value), step)
        for name, value in values.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    ]
