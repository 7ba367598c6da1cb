"""The one door to MLflow. Imported late: MLflow takes more than a second to import."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from harness.errors import FramelightError
from harness.files import writing
from harness.identity import digest
from harness.records import Record
from harness.tracking import entries, reading
from harness.tracking.location import Location, TrackingLost
from harness.tracking.writer import locked, make_folder, source_tags, writer

for _name, _value in {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
                      "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet",
                      "MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}.items():
    os.environ.setdefault(_name, _value)

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

for _name in ("mlflow", "alembic", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.ERROR)

EXPERIMENT = "framelight"
PAGE = 1000


class Tracker:
    """Sends records to one MLflow location. Use it from one process, the parent; any number may do so at once."""

    def __init__(self, location: Location, reading_only: bool = False) -> None:
        self.location = location
        self._lost = False
        if not reading_only:
            make_folder(location.store)
            make_folder(location.lock.parent)
        with self._guard(FramelightError), nullcontext() if reading_only else locked(location):
            if location.database is not None:
                _make_database(location.database)
            self._client = MlflowClient(location.uri)
            if location.server:
                self._require_answer()
            if not reading_only:
                self._experiment = self._find_or_make_experiment()

    def study(self, recipe: str, study_id: str, params: Mapping[str, Any] | None = None,
              tags: Mapping[str, str] | None = None) -> str:
        """Run id of the parent of a recipe's jobs; the one with this `study_id` is taken up again."""
        with self._guard(), locked(self.location):
            known = self._search(f"tags.`{entries.STUDY}` = '{study_id}'")
            if known:
                self._client.update_run(known[0].info.run_id, status="RUNNING")
                return known[0].info.run_id
            named = {**(tags or {}), **source_tags(self.location), entries.STUDY: study_id, "framelight.kind": "study",
                     "framelight.recipe": recipe}
            run_id = self._client.create_run(self._experiment, tags=named, run_name=recipe).info.run_id
            self._log_params(run_id, {name: str(value) for name, value in (params or {}).items()})
            return run_id

    def end_study(self, run_id: str, failed: str | None = None) -> None:
        """End a parent run: FINISHED, or FAILED with the text of `failed`."""
        with self._guard(), locked(self.location):
            if failed:
                self._client.set_tag(run_id, "mlflow.note.content", failed[:entries.TAG_LENGTH])
            self._client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def log(self, record: Record, folder: Path | None, parent: str, replace: bool = False) -> str:
        """Send one job with the files of `folder`; gives its run id.

        A job that is already there as finished is left alone unless `replace`; whatever else an earlier or killed
        attempt left of it goes when the new run is whole. Raises TrackingLost when it could not be sent.
        """
        with self._guard(), locked(self.location):
            earlier = self._search(f"tags.`{entries.JOB}` = '{record.job_id}'")
            finished = [run.info.run_id for run in earlier if run.info.status == "FINISHED"]
            if finished and not replace:
                return finished[0]
            run_id = self._send(record, folder, parent)
            for run in earlier:
                if self._is_ours(run):
                    self._client.delete_run(run.info.run_id)
            return run_id

    def tracked(self) -> set[str]:
        """job_ids that are finished or pruned at this location, whoever logged them."""
        with self._guard():
            return reading.finished_jobs(self.location, self.tagged_runs)

    def records(self) -> list[Record]:
        """Light records of all finished and failed jobs of all experiments at this location."""
        with self._guard():
            return reading.read_records(self.location, self.tagged_runs)

    def tagged_runs(self) -> entries.Tagged:
        """(run id, status, tags) of every live run that carries a record, through MLflow's own search."""
        with self._guard():
            experiments = [e.experiment_id for e in _pages(self._client.search_experiments)]
            found = self._search(f"tags.`{entries.RECORD}` LIKE '{{%'", experiments)
            return [(run.info.run_id, run.info.status, run.data.tags) for run in found]

    def _send(self, record: Record, folder: Path | None, parent: str) -> str:
        end = int(time.time() * 1000)
        tags = {**entries.tags(record), **source_tags(self.location), "mlflow.parentRunId": parent}
        name = " ".join(filter(None, (record.backbone, record.features, record.head, f"s{record.seed}")))
        run = self._client.create_run(self._experiment, end - int(entries.seconds(record) * 1000), tags, name)
        run_id = run.info.run_id
        params = [Param(name, value) for name, value in entries.params(record).items()]
        listed = [Metric(key, value, end, step) for key, value, step in entries.metrics(record)]
        first = PAGE - len(params)
        self._client.log_batch(run_id, metrics=listed[:first], params=params)
        for i in range(first, len(listed), PAGE):
            self._client.log_batch(run_id, metrics=listed[i:i + PAGE])
        self._client.log_inputs(run_id, [_dataset(record)])
        if folder is not None:
            self._keep_files(run, Path(folder))
        self._client.set_terminated(run_id, entries.MLFLOW_STATUS[record.status], end)
        return run_id

    def _log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        listed = [Param(name, value) for name, value in params.items()]
        for i in range(0, len(listed), 100):
            self._client.log_batch(run_id, params=listed[i:i + 100])

    def _keep_files(self, run: Any, folder: Path) -> None:
        """Hard links where artifacts are local files: predictions are not stored twice."""
        target = urlparse(run.info.artifact_uri)
        if target.scheme not in ("", "file"):
            self._client.log_artifacts(run.info.run_id, str(folder))
            return
        for file in (f for f in sorted(folder.rglob("*")) if f.is_file() and not f.name.endswith(".aside")):
            kept = Path(unquote(target.path)) / file.relative_to(folder)
            kept.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, kept)
            except OSError:
                shutil.copy2(file, kept)

    def _is_ours(self, run: Any) -> bool:
        """Whether this lock's holder may clear the run away; on a server others log the same jobs."""
        return bool(self.location.database) or run.data.tags.get(entries.WRITER) == writer(self.location)

    def _search(self, condition: str, experiments: list[str] | None = None) -> list[Any]:
        return _pages(partial(self._client.search_runs, experiments or [self._experiment], condition,
                              ViewType.ACTIVE_ONLY))

    def _find_or_make_experiment(self) -> str:
        """The experiment `framelight` (or $MLFLOW_EXPERIMENT_NAME).

        MLflow fixes an experiment's artifact folder for good; a store that was moved gets an experiment of its own.
        """
        wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        for name in (wanted, f"{wanted}-{digest(self.location.artifacts, 6)}"):
            known = self._client.get_experiment_by_name(name)
            if known is None:
                return self._make_experiment(name)
            if known.lifecycle_stage == "active" and self._keeps_here(known.artifact_location):
                return known.experiment_id
        raise FramelightError(f"the MLflow experiment '{wanted}' at {self.location.uri} was deleted; restore it in "
                              "MLflow or name another in MLFLOW_EXPERIMENT_NAME")

    def _make_experiment(self, name: str) -> str:
        try:
            return self._client.create_experiment(name, self.location.artifacts)
        except Exception:  # another machine may have made it on the same server a moment ago
            known = self._client.get_experiment_by_name(name)
            if known is None:
                raise
            return known.experiment_id

    def _keeps_here(self, artifact_location: str) -> bool:
        wanted = self.location.artifacts
        return wanted is None or self.location.database is None or unquote(urlparse(artifact_location).path) == wanted

    def _require_answer(self) -> None:
        cause = self._answer()
        if cause:
            raise FramelightError(f"the MLflow server at {self.location.uri} does not answer ({cause}); start it, "
                                  "correct --tracking-uri (or MLFLOW_TRACKING_URI), or leave it out to use the store")

    def _answer(self) -> str:
        """'' when the server answers within 5 s, else why not."""
        hasty = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        before = {name: os.environ.get(name) for name in hasty}
        os.environ.update(hasty)
        try:
            self._client.search_experiments(max_results=1)
            return ""
        except Exception as error:  # MLflow, requests and urllib3 each have their own
            return _brief(error)
        finally:
            os.environ.update({name: value for name, value in before.items() if value is not None})

    @contextmanager
    def _guard(self, kind: type[FramelightError] = TrackingLost) -> Iterator[None]:
        """MLflow's, SQLAlchemy's and the network's many errors as one that a user can act on."""
        if self._lost:
            raise TrackingLost(f"the MLflow server at {self.location.uri} no longer answers; results stay in "
                               f"{self.location.store} and the next run sends them")
        try:
            yield
        except FramelightError:
            raise
        except Exception as error:
            self._lost = self.location.server and bool(self._answer())
            what = "no longer answers" if self._lost else "could not be used"
            advice = ("results stay in the store and the next run sends them" if kind is TrackingLost else
                      "check that it is writable, has room and was made by this version of MLflow, or choose another")
            raise kind(f"tracking at {self.location.uri} {what} ({_brief(error)}); {advice}") from error


def _make_database(database: Path) -> None:
    """A new sqlite file with MLflow's schema, made aside: a process killed meanwhile leaves no half of one."""
    if database.exists():
        return
    for left in database.parent.glob(f".{database.name}.*.aside*"):
        left.unlink(missing_ok=True)
    with writing(database) as aside:
        MlflowClient(f"sqlite:///{aside}").search_experiments(max_results=1)


def _pages(search: Any) -> list[Any]:
    found, token = [], None
    while True:
        page = search(max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _dataset(record: Record) -> DatasetInput:
    profile = f'{{"annotated": {record.annotated}, "scored": {record.scored}, "units": {record.units}}}'
    source = f'{{"uri": "{record.data_digest}"}}'
    data = Dataset(record.dataset, record.data_digest[:36], "local", source, profile=profile)
    return DatasetInput(data, [InputTag("mlflow.data.context", record.split)])


def _brief(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
