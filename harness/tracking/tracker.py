"""Runs as they are written to MLflow: studies, jobs and trainings."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.tracking import reader, serialization
from harness.tracking.artifacts import log_artifacts
from harness.tracking.client import PAGE_SIZE, Connection
from harness.tracking.location import Location, lock_location, source_tags, writer_id
from harness.tracking.mlflow_api import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write


class Tracker:
    """Sends records to one MLflow location. Use it from one process, the parent; any number may do so at once."""

    def __init__(self, location: Location, reading_only: bool = False, experiment: str | None = None) -> None:
        """experiment: the name of another than that of Framelight's runs."""
        self.location = location
        to = Connection(location, reading_only, experiment)
        self._client, self._guard, self._search = to.client, to.guard, to.search
        self._experiment = to.experiment

    def start_study(
        self, recipe: str, study_id: str, params: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Run id of the parent of a recipe's jobs; the one with this `study_id` is taken up again."""
        with self._guard(), lock_location(self.location):
            known = self._search(f"tags.`{serialization.STUDY_TAG}` = '{study_id}'")
            named = {
                **(tags or {}),
                serialization.STUDY_TAG: study_id,
                "framelight.kind": "study",
                "framelight.recipe": recipe,
            }
            return self._resume_or_create(known[0] if known else None, recipe, named, dict(params or {}))

    def start_training(
        self, key: str, name: str, params: Mapping[str, str], tags: Mapping[str, str], again: bool = False
    ) -> str | None:
        """Run id of the training of a backbone; one with this `key` that has not finished is taken up again.

        None when one has finished there, unless the training is done `again`.
        """
        with self._guard(), lock_location(self.location):
            known = self._find_trainings(key)
            if not again and any(run.info.status == "FINISHED" for run in known):
                return None
            begun = next(
                (
                    run
                    for run in known
                    if run.info.status != "FINISHED"
                    and self._is_ours(run)
                    and run.info.experiment_id == self._experiment
                ),
                None,
            )
            named = {**tags, serialization.TRAINING_TAG: key, "framelight.kind": "backbone", "framelight.recipe": name}
            return self._resume_or_create(begun, name, named, params)

    def log_points(self, run_id: str, points: Iterable[serialization.MetricPoint]) -> None:
        """Send metrics of a run; a step that its curve has already is not sent again."""
        with self._guard(), lock_location(self.location):
            self._log_new_points(run_id, points)

    def append_points(self, run_id: str, values: Mapping[str, float], tags: Mapping[str, str]) -> int:
        """Send the next point of each curve of a run; all are at the same step, which is returned and ends each tag's
        name.
        """
        with self._guard(), lock_location(self.location):
            step = len(self._client.get_metric_history(run_id, serialization.APPEND_COUNTER))
            self._log_new_points(
                run_id, [(name, value, step) for name, value in {serialization.APPEND_COUNTER: 1, **values}.items()]
            )
            self._client.log_batch(run_id, tags=[RunTag(f"{name}.{step}", value) for name, value in tags.items()])
            return step

    def finish_training(
        self, run_id: str, key: str, points: Iterable[serialization.MetricPoint], data: tuple[str, str], folder: Path
    ) -> None:
        """Complete a training's run: what its curves lack, its data (name, digest), its files; then it is FINISHED.

        Whatever else this store left of the same training goes.
        """
        with self._guard(), lock_location(self.location):
            self._log_new_points(run_id, points)
            self._client.log_inputs(run_id, [_dataset_input(*data, "train", {})])
            log_artifacts(self._client, self._client.get_run(run_id), folder)
            self._client.set_terminated(run_id, "FINISHED")
            for run in self._find_trainings(key):
                if run.info.run_id != run_id and self._is_ours(run):
                    self._client.delete_run(run.info.run_id)

    def end_run(self, run_id: str, failed: str | None = None) -> None:
        """End a run: FINISHED, or FAILED with the text of `failed`."""
        with self._guard(), lock_location(self.location):
            if failed:
                self._client.set_tag(run_id, "mlflow.note.content", failed[: serialization.MAX_TAG_LENGTH])
            self._client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def log_record(self, record: Record, folder: Path | None, parent: str, replace: bool = False) -> str:
        """Send one job with the files of `folder`; gives its run id.

        A job that is already there as finished is left alone unless `replace`; whatever else an earlier or killed
        attempt left of it goes when the new run is whole. Raises TrackingUnavailableError when it could not be sent.
        """
        with self._guard(), lock_location(self.location):
            earlier = self._search(f"tags.`{serialization.JOB_TAG}` = '{record.job_id}'")
            finished = [run.info.run_id for run in earlier if run.info.status == "FINISHED"]
            if finished and not replace:
                return finished[0]
            run_id = self._create_run(record, folder, parent)
            for run in earlier:
                if self._is_ours(run):
                    self._client.delete_run(run.info.run_id)
            return run_id

    def finished_job_ids(self) -> set[str]:
        """job_ids that are finished or pruned at this location, whoever logged them."""
        with self._guard():
            return reader.finished_job_ids(self.location, self.tagged_runs)

    def download_file(self, run_id: str, name: str, path: Path) -> bool:
        """A file of a run, written to `path`; False when the run has none of that name."""
        with self._guard(FramelightError):
            if name not in {file.path for file in self._client.list_artifacts(run_id)}:
                return False
            with tempfile.TemporaryDirectory() as folder, atomic_write(path) as aside:
                shutil.copyfile(self._client.download_artifacts(run_id, name, folder), aside)
            return True

    def records(self) -> list[Record]:
        """Light records of all finished and failed jobs of all experiments at this location."""
        with self._guard():
            return reader.read_records(self.location, self.tagged_runs)

    def tagged_runs(self) -> serialization.RunTags:
        """(run id, status, tags) of every live run that carries a record, through MLflow's own search."""
        with self._guard():
            found = self._search(f"tags.`{serialization.RECORD_TAG}` LIKE '{{%'", everywhere=True)
            return [(run.info.run_id, run.info.status, run.data.tags) for run in found]

    def _create_run(self, record: Record, folder: Path | None, parent: str) -> str:
        end = int(time.time() * 1000)
        tags = {**serialization.tags(record), **source_tags(self.location), "mlflow.parentRunId": parent}
        name = " ".join(filter(None, (record.backbone, record.features, record.head, f"s{record.seed}")))
        run = self._client.create_run(
            self._experiment, end - int(serialization.total_seconds(record) * 1000), tags, name
        )
        run_id = run.info.run_id
        params = [Param(name, value) for name, value in serialization.params(record).items()]
        listed = [Metric(key, value, end, step) for key, value, step in serialization.metrics(record)]
        first = PAGE_SIZE - len(params)
        self._client.log_batch(run_id, metrics=listed[:first], params=params)
        for i in range(first, len(listed), PAGE_SIZE):
            self._client.log_batch(run_id, metrics=listed[i : i + PAGE_SIZE])
        profile = {"annotated": record.annotated, "scored": record.scored, "units": record.units}
        self._client.log_inputs(run_id, [_dataset_input(record.dataset, record.data_digest, record.split, profile)])
        if folder is not None:
            log_artifacts(self._client, run, Path(folder))
        self._client.set_terminated(run_id, serialization.MLFLOW_STATUS[record.status], end)
        return run_id

    def _resume_or_create(self, run: Any, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> str:
        """The run set RUNNING again, or a new one; a kill may have come before its params were all sent."""
        tags = {**tags, **source_tags(self.location)}
        if run is None:
            run = self._client.create_run(self._experiment, tags=tags, run_name=name)
        else:
            self._client.update_run(run.info.run_id, status="RUNNING")
            self._client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        listed = [Param(name, str(value)) for name, value in params.items() if name not in run.data.params]
        for i in range(0, len(listed), 100):
            self._client.log_batch(run.info.run_id, params=listed[i : i + 100])
        return run.info.run_id

    def _log_new_points(self, run_id: str, points: Iterable[serialization.MetricPoint]) -> None:
        now, points = int(time.time() * 1000), list(points)
        there = {
            name: {point.step for point in self._client.get_metric_history(run_id, name)}
            for name in dict.fromkeys(name for name, _, _ in points)
        }
        new = [Metric(name, value, now, step) for name, value, step in points if step not in there[name]]
        for i in range(0, len(new), PAGE_SIZE):
            self._client.log_batch(run_id, metrics=new[i : i + PAGE_SIZE])

    def _is_ours(self, run: Any) -> bool:
        """Whether this lock's holder may clear the run away; on a server others log the same jobs."""
        return bool(self.location.database) or run.data.tags.get(serialization.WRITER_TAG) == writer_id(self.location)

    def _find_trainings(self, key: str) -> list[Any]:
        """Runs of a training; a store that was moved has some in the experiment of its old place."""
        return self._search(f"tags.`{serialization.TRAINING_TAG}` = '{key}'", everywhere=True)


def _dataset_input(name: str, digest: str, context: str, profile: Mapping[str, int]) -> DatasetInput:
    source = json.dumps({"uri": digest})
    data = Dataset(name, digest[:36], "local", source, profile=json.dumps(profile))
    return DatasetInput(data, [InputTag("mlflow.data.context", context)])
