"""Models in MLflow: logged to the run that they came from, and registered with their versions and aliases."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlparse

from harness.tracking.client import Connection, paginate
from harness.tracking.location import Location, lock_location, source_tags, writer_id
from harness.tracking.mlflow_api import LoggedModel, LoggedModelOutput, download
from harness.tracking.serialization import JOB_TAG, WRITER_TAG
from harness.utils.errors import FramelightError
from harness.utils.files import sha256

FILE, CARD, EXAMPLE = "model-float32.onnx", "card.json", "example.py"
"""What of an export's folder goes into a model."""
FOLDER = "data/export"
"""Where that folder lies among the files of a model."""
LOADER = Path(__file__).with_name("framelight_onnx.py")
"""What MLflow loads a model with; importing it takes onnxruntime."""
SHA256, MODEL = "framelight.sha256", "framelight.model_id"
"""Tags of a version: the hash of its model file, and MLflow's id of the logged model that it is of."""
CHAMPION = "champion"


NAME = "framelight"
"""What a run's model is called among the outputs of its MLflow run."""

ModelWriter = Callable[[Path, LoggedModel], None]
"""Writes the folder that MLflow keeps of a logged model."""


@dataclass(frozen=True)
class Version:
    """One of a registered model. location: where MLflow says that its files are."""

    name: str
    number: str
    location: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.number}"


class Registry:
    """The models at one MLflow location. One process writes at a time; raises FramelightError where MLflow cannot."""

    def __init__(self, location: Location, reading_only: bool = False) -> None:
        self.location = location
        self._to = Connection(location, reading_only)
        self._client = self._to.client

    def run_of(self, job_id: str) -> str | None:
        """The MLflow run of a finished job; None where it was not tracked here."""
        with self._to.guard(FramelightError):
            runs = self._to.search(f"tags.`{JOB_TAG}` = '{job_id}'", everywhere=True)
            return next((run.info.run_id for run in runs if run.info.status == "FINISHED"), None)

    def names(self) -> list[str]:
        with self._to.guard(FramelightError):
            return [model.name for model in paginate(self._client.search_registered_models)]

    def versions(self, name: str) -> list[Version]:
        """In order of their numbers; none for a name that is not registered."""
        with self._to.guard(FramelightError):
            found = paginate(partial(self._client.search_model_versions, f"name = '{name}'"))
            return [
                Version(one.name, str(one.version), one.source, one.tags)
                for one in sorted(found, key=lambda one: int(one.version))
            ]

    def aliases(self, name: str) -> dict[str, str]:
        """Numbers of versions by alias."""
        with self._to.guard(FramelightError):
            found = paginate(partial(self._client.search_registered_models, f"name = '{name}'"))
            return {alias: str(number) for model in found for alias, number in model.aliases.items()}

    def register(self, name: str, run_id: str, tags: Mapping[str, str], prepare: ModelWriter) -> tuple[Version, bool]:
        """The version of a job's model file, and whether it is new; it is logged to the run where it was not.

        tags: of the version, `JOB_TAG` and `SHA256` among them.
        """
        with self._to.guard(FramelightError), lock_location(self.location):
            model = self._get_or_log_model(run_id, tags, prepare)
            self._link(run_id, model)
            known = [one for one in self.versions(name) if one.tags.get(MODEL) == model.model_id]
            if known:
                return known[-1], False
            if name not in self.names():
                self._client.create_registered_model(name)
            made = self._client.create_model_version(
                name, model.artifact_location, run_id, tags={**tags, MODEL: model.model_id}, model_id=model.model_id
            )
            return Version(name, str(made.version), made.source, made.tags), True

    def set_alias(self, version: Version, alias: str) -> None:
        with self._to.guard(FramelightError), lock_location(self.location):
            self._client.set_registered_model_alias(version.name, alias, version.number)

    def folder(self, version: Version) -> Path | None:
        """Where a version's files are on this machine; None where they must be fetched from elsewhere."""
        place = _local_path(version.location)
        if place is None:
            return None
        own = self.location.store.mlflow_model(version.tags.get(MODEL, ""))
        return next((path for path in (own, place) if path.is_dir()), None)  # a store that was moved took them along

    def fetch(self, version: Version, folder: Path) -> None:
        """Download a version's files into `folder`."""
        with self._to.guard(FramelightError), tempfile.TemporaryDirectory(dir=folder) as aside:
            for path in download(version.location, Path(aside), self.location.uri).iterdir():
                path.rename(folder / path.name)

    def _get_or_log_model(self, run_id: str, tags: Mapping[str, str], prepare: ModelWriter) -> LoggedModel:
        """The logged model of this very file; what a killed attempt of this store left of one goes, and one whose file
        is gone or altered. What others logged is never removed.
        """
        for model in self._logged_models(tags):
            if model.status == "READY" and self._is_intact(model):
                return model
            if self.location.database or model.tags.get(WRITER_TAG) == writer_id(self.location):
                self._client.delete_logged_model(model.model_id)
                place = _local_path(model.artifact_location)
                if place is not None and place.parent.name == model.model_id:
                    shutil.rmtree(place.parent, ignore_errors=True)
        model = self._client.create_logged_model(
            self._to.experiment, NAME, source_run_id=run_id, tags={**tags, **source_tags(self.location)}
        )
        with tempfile.TemporaryDirectory() as aside:
            folder = Path(aside) / "model"
            prepare(folder, model)
            self._client.log_model_artifacts(model.model_id, str(folder))
        return self._client.finalize_logged_model(model.model_id, "READY")

    def _logged_models(self, tags: Mapping[str, str]) -> list[LoggedModel]:
        condition = f"tags.`{SHA256}` = '{tags[SHA256]}' AND tags.`{JOB_TAG}` = '{tags[JOB_TAG]}'"
        return paginate(partial(self._client.search_logged_models, [self._to.experiment], condition))

    def _is_intact(self, model: LoggedModel) -> bool:
        """Whether its files can be and are sound; only those on this machine are looked at."""
        place = _local_path(model.artifact_location)
        if place is None:
            return True
        file = place / FOLDER / FILE
        return file.is_file() and sha256(file) == model.tags[SHA256]

    def _link(self, run_id: str, model: LoggedModel) -> None:
        outputs = self._client.get_run(run_id).outputs
        if model.model_id not in {one.model_id for one in (outputs.model_outputs if outputs else ())}:
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])


def _local_path(location: str) -> Path | None:
    """The path of an artifact location on this machine, None for any other."""
    place = urlparse(location)
    return Path(unquote(place.path)) if place.scheme in ("", "file") else None
