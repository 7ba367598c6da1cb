"""Write studies, jobs and backbone trainings to MLflow.

Each of them is an MLflow run. The run of a study is the parent of the runs of a recipe's jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.tracking import reader, serialization
from harness.tracking.artifacts import log_artifacts
from harness.tracking.client import Connection
from harness.tracking.downloads import download_file
from harness.tracking.location import Location, lock_location
from harness.tracking.mlflow_api import RunTag
from harness.tracking.records import Record
from harness.tracking.run_writer import RunWriter, dataset_input
from harness.utils.errors import FramelightError


class Tracker:
    """Sends records to an MLflow location.

    Use it from the parent process only, not from workers. Several parent processes may use one location at the same
    time. If the location no longer answers, `download_file` raises FramelightError and the other methods raise
    TrackingUnavailableError.

    Parameters
    ----------
    location : Location
        The tracking location.
    reading_only : bool
        Do not create folders or an experiment.
    experiment : str, optional
        Name of an MLflow experiment. Default: the experiment of Framelight's runs.

    Attributes
    ----------
    data_source : Path or None
        Folder of the dataset, which is logged as the source of the MLflow dataset of each run.
    """

    def __init__(self, location: Location, reading_only: bool = False, experiment: str | None = None) -> None:
        self.location = location
        connection = Connection(location, reading_only, experiment)
        self._client, self._guard, self._search = connection.client, connection.guard, connection.search
        self._experiment = connection.experiment
        self._writer = RunWriter(connection)
        self.data_source: Path | None = None

    def start_study(
        self, recipe: str, study_id: str, params: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Start or resume the study of a recipe.

        Parameters
        ----------
        recipe : str
            Name of the recipe, which is also the name of the run.
        study_id : str
            Identity of the study; a run with the same id is resumed.
        params, tags : mapping, optional
            Params and tags of the run.

        Returns
        -------
        str
            MLflow's id of the run.
        """
        with self._guard(), lock_location(self.location):
            studies = self._search(f"tags.`{serialization.STUDY_TAG}` = '{study_id}'")
            study_tags = {
                **(tags or {}),
                serialization.STUDY_TAG: study_id,
                "framelight.kind": "study",
                "framelight.recipe": recipe,
            }
            return self._writer.resume_or_create(
                studies[0] if studies else None, recipe, study_tags, dict(params or {})
            )

    def start_training(
        self, key: str, name: str, params: Mapping[str, str], tags: Mapping[str, str], again: bool = False
    ) -> str | None:
        """Start or resume the run of the training of a backbone.

        Parameters
        ----------
        key : str
            Identity of the training; an unfinished run with the same key is resumed.
        name : str
            Name of the run.
        params, tags : mapping of str to str
            Params and tags of the run.
        again : bool
            Start a new run even if a run with this key has finished.

        Returns
        -------
        str or None
            MLflow's id of the run; None if the training has finished and is not repeated.
        """
        with self._guard(), lock_location(self.location):
            trainings = self._find_trainings(key)
            if not again and any(run.info.status == "FINISHED" for run in trainings):
                return None
            unfinished = next(
                (
                    run
                    for run in trainings
                    if run.info.status != "FINISHED"
                    and self._writer.is_ours(run)
                    and run.info.experiment_id == self._experiment
                ),
                None,
            )
            tags = {**tags, serialization.TRAINING_TAG: key, "framelight.kind": "backbone", "framelight.recipe": name}
            return self._writer.resume_or_create(unfinished, name, tags, params)

    def log_points(self, run_id: str, points: Iterable[serialization.MetricPoint]) -> None:
        """Log metrics of a run; steps that a curve already has are skipped."""
        with self._guard(), lock_location(self.location):
            self._writer.log_new_points(run_id, points)

    def append_points(self, run_id: str, values: Mapping[str, float], tags: Mapping[str, str]) -> int:
        """Append one point to each curve of a run, all at the same step.

        Parameters
        ----------
        run_id : str
            The run.
        values : mapping of str to float
            The points, by metric.
        tags : mapping of str to str
            Tags of this step; the step is appended to their names.

        Returns
        -------
        int
            The step.
        """
        with self._guard(), lock_location(self.location):
            step = len(self._client.get_metric_history(run_id, serialization.APPEND_COUNTER))
            self._writer.log_new_points(
                run_id, [(name, value, step) for name, value in {serialization.APPEND_COUNTER: 1, **values}.items()]
            )
            self._client.log_batch(run_id, tags=[RunTag(f"{name}.{step}", value) for name, value in tags.items()])
            return step

    def finish_training(
        self, run_id: str, key: str, points: Iterable[serialization.MetricPoint], data: tuple[str, str], folder: Path
    ) -> None:
        """Finish the run of a training, and delete other runs that this store logged for the same training.

        Parameters
        ----------
        run_id, key : str
            The run, and the identity of the training.
        points : iterable of (name, value, step)
            Complete curves; missing points are sent.
        data : (str, str)
            Name and digest of the dataset.
        folder : Path
            Files to log as artifacts.
        """
        with self._guard(), lock_location(self.location):
            self._writer.log_new_points(run_id, points)
            self._client.log_inputs(run_id, [dataset_input(data, "train", {}, self.data_source)])
            log_artifacts(self._client, self._client.get_run(run_id), folder)
            self._client.set_terminated(run_id, "FINISHED")
            for run in self._find_trainings(key):
                if run.info.run_id != run_id and self._writer.is_ours(run):
                    self._client.delete_run(run.info.run_id)

    def end_run(self, run_id: str, failed: str | None = None) -> None:
        """Set a run to FINISHED, or to FAILED with `failed` as its description."""
        with self._guard(), lock_location(self.location):
            if failed:
                self._client.set_tag(run_id, "mlflow.note.content", failed[: serialization.MAX_TAG_LENGTH])
            self._client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def log_record(
        self,
        record: Record,
        folder: Path | None,
        parent: str,
        replace: bool = False,
        computed: bool = False,
        curves: Sequence[serialization.MetricPoint] = (),
    ) -> str:
        """Log one job as a run, then delete earlier runs of the job unless another store logged them on a server.

        By default, a job that already has a finished run is not logged again.

        Parameters
        ----------
        record : Record
            The record of the job.
        folder : Path or None
            Files to log as artifacts.
        parent : str
            Run id of the study.
        replace : bool
            Log the job even if a finished run of it exists.
        computed : bool
            Whether the job was executed just now. If so, finished runs of the job are replaced too, unless another
            store logged one of them.
        curves : sequence of (name, value, step)
            Metrics of each epoch.

        Returns
        -------
        str
            MLflow's id of the new run, or of a finished run that is kept.

        Raises
        ------
        TrackingUnavailableError
            If the run could not be sent.
        """
        with self._guard(), lock_location(self.location):
            # a store that was moved has more than one experiment
            earlier = self._search(f"tags.`{serialization.JOB_TAG}` = '{record.job_id}'", everywhere=True)
            readable = [run for run in earlier if serialization.record_of_job(run.data.tags) is not None]
            finished = [run.info.run_id for run in readable if run.info.status == "FINISHED"]
            if finished and not replace and not (computed and all(map(self._writer.is_ours, readable))):
                return finished[0]
            run_id = self._writer.create_for_record(record, folder, parent, curves, self.data_source)
            for run in earlier:
                if self._writer.is_ours(run):
                    self._client.delete_run(run.info.run_id)
            return run_id

    def finished_job_ids(self) -> set[str]:
        """Return the ids of all finished and pruned jobs at the location, of all stores."""
        with self._guard():
            return reader.finished_job_ids(self.location, self.tagged_runs)

    def download_file(self, run_id: str, name: str, path: Path) -> bool:
        """Download an artifact of a run, see `harness.tracking.downloads`."""
        with self._guard(FramelightError):
            return download_file(self._client, run_id, name, path)

    def records(self) -> list[Record]:
        """Return the records (see `Record.light`) of all finished and failed jobs, of all experiments."""
        with self._guard():
            return reader.read_records(self.location, self.tagged_runs)

    def tagged_runs(self) -> serialization.RunTags:
        """Search MLflow for all runs with a record, and return (run id, status, tags) of each, the newest last."""
        with self._guard():
            runs = self._search(f"tags.`{serialization.RECORD_TAG}` LIKE '{{%'", everywhere=True)
            runs = sorted(runs, key=lambda run: (run.info.end_time or 0, run.info.run_id))
            return [(run.info.run_id, run.info.status, run.data.tags) for run in runs]

    def _find_trainings(self, key: str) -> list[Any]:
        """Return the runs of a training in all experiments, as a store that was moved has several experiments."""
        return self._search(f"tags.`{serialization.TRAINING_TAG}` = '{key}'", everywhere=True)
