"""Write single runs to MLflow: tags, params, metrics, datasets and files."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.tracking import serialization
from harness.tracking.artifacts import log_artifacts
from harness.tracking.client import PAGE_SIZE, Connection
from harness.tracking.location import source_tags, writer_id
from harness.tracking.mlflow_api import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from harness.tracking.records import Record


class RunWriter:
    """Writes single runs for `harness.tracking.tracker.Tracker`, which acquires the lock and converts errors.

    Parameters
    ----------
    connection : Connection
        The connection to the tracking location.
    """

    def __init__(self, connection: Connection) -> None:
        self._location, self._client, self._experiment = connection.location, connection.client, connection.experiment

    def create_for_record(
        self,
        record: Record,
        folder: Path | None,
        parent: str,
        curves: Sequence[serialization.MetricPoint],
        source: Path | None,
    ) -> str:
        """Create the complete run of a job; for the arguments, see `Tracker.log_record` and `dataset_input`."""
        end = int(time.time() * 1000)
        tags = {**serialization.tags(record), **source_tags(self._location), "mlflow.parentRunId": parent}
        training = "" if record.training is None else f"t{record.training}"
        parts = (record.backbone, record.features, record.head, training, f"s{record.seed}")
        name = f"{record.task} on {record.dataset}: {' '.join(filter(None, parts))}"
        run = self._client.create_run(
            self._experiment, end - int(serialization.total_seconds(record) * 1000), tags, name
        )
        run_id = run.info.run_id
        params = [Param(name, value) for name, value in serialization.params(record).items()]
        metrics = [Metric(key, value, end, step) for key, value, step in [*serialization.metrics(record), *curves]]
        first = PAGE_SIZE - len(params)
        self._client.log_batch(run_id, metrics=metrics[:first], params=params)
        for i in range(first, len(metrics), PAGE_SIZE):
            self._client.log_batch(run_id, metrics=metrics[i : i + PAGE_SIZE])
        profile = {"annotated": record.annotated, "scored": record.scored, "units": record.units}
        self._client.log_inputs(
            run_id, [dataset_input((record.dataset, record.data_digest), record.split, profile, source)]
        )
        if folder is not None:
            log_artifacts(self._client, run, Path(folder))
        self._client.set_terminated(run_id, serialization.MLFLOW_STATUS[record.status], end)
        return run_id

    def resume_or_create(self, run: Any, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> str:
        """Resume a run, or create one if `run` is None; log the params that are missing in the run. Return its id."""
        tags = {**tags, **source_tags(self._location)}
        if run is None:
            run = self._client.create_run(self._experiment, tags=tags, run_name=name)
        else:
            self._client.update_run(run.info.run_id, status="RUNNING")
            self._client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        missing = [Param(name, str(value)) for name, value in params.items() if name not in run.data.params]
        for i in range(0, len(missing), 100):
            self._client.log_batch(run.info.run_id, params=missing[i : i + 100])
        return run.info.run_id

    def log_new_points(self, run_id: str, points: Iterable[serialization.MetricPoint]) -> None:
        """Log metrics of a run; steps that a curve already has are skipped."""
        now, points = int(time.time() * 1000), list(points)
        logged_steps = {
            name: {point.step for point in self._client.get_metric_history(run_id, name)}
            for name in dict.fromkeys(name for name, _, _ in points)
        }
        new = [Metric(name, value, now, step) for name, value, step in points if step not in logged_steps[name]]
        for i in range(0, len(new), PAGE_SIZE):
            self._client.log_batch(run_id, metrics=new[i : i + PAGE_SIZE])

    def is_ours(self, run: Any) -> bool:
        """Return whether this process may delete a run; on a server, other stores may have logged the same job."""
        return bool(self._location.database) or run.data.tags.get(serialization.WRITER_TAG) == writer_id(self._location)


def dataset_input(data: tuple[str, str], context: str, profile: Mapping[str, int], source: Path | None) -> DatasetInput:
    """Return the MLflow dataset with a name and digest (`data`); if `source` is None, its source is the digest."""
    name, digest = data
    uri = json.dumps({"uri": digest if source is None else str(source.absolute())})
    dataset = Dataset(name, digest[:36], "local", uri, profile=json.dumps(profile))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
