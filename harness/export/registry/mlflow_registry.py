"""MLflow's model registry: logged models of runs, registered models with versions and aliases."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backbones.regular_files import hash_file
from harness.tracking.artifacts import local_path
from harness.tracking.bounded_client import TRANSFER_SECONDS, call_with_deadline
from harness.tracking.client import Connection, paginate
from harness.tracking.location import Location, lock_location, source_tags, writer_id
from harness.tracking.mlflow_api import LoggedModel, LoggedModelOutput, download
from harness.tracking.serialization import JOB_TAG, WRITER_TAG
from harness.utils.errors import FramelightError

FILE, CARD, EXAMPLE = "model-float32.onnx", "card.json", "example.py"
"""Files of an export that a logged model contains."""
FOLDER = "data/export"
"""Folder of these files inside the logged model."""
LOADER = Path(__file__).with_name("framelight_onnx.py")
"""Module with which MLflow loads a model; it imports onnxruntime."""
SHA256, MODEL = "framelight.sha256", "framelight.model_id"
"""Tags of a version: the hash of its model file, and the MLflow id of its logged model."""
CHAMPION = "champion"
"""Alias of the version that is significantly better than every other run of its leaderboard."""


NAME = "framelight"
"""Name of the logged model among the outputs of its MLflow run."""

ModelWriter = Callable[[Path, LoggedModel], None]
"""Function that writes the folder of a logged model."""


@dataclass(frozen=True)
class Version:
    """Version of a registered model.

    Attributes
    ----------
    name : str
        Name of the model.
    number : str
    location : str
        URI of the version's files in MLflow.
    tags : mapping of str to str
    """

    name: str
    number: str
    location: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """`models:/NAME/NUMBER`."""
        return f"models:/{self.name}/{self.number}"


class Registry:
    """Registered models of one tracking server or local MLflow database.

    A lock lets one process write at a time. Methods raise FramelightError if MLflow fails.

    Parameters
    ----------
    location : Location
    reading_only : bool
        Whether to open the location without writing to it.
    """

    def __init__(self, location: Location, reading_only: bool = False) -> None:
        self.location = location
        self._connection = Connection(location, reading_only)
        self._client = self._connection.client

    def run_of(self, job_id: str) -> str | None:
        """Find the MLflow run id of a finished job; None if the job is not tracked here."""
        with self._connection.guard(FramelightError):
            runs = self._connection.search(f"tags.`{JOB_TAG}` = '{job_id}'", everywhere=True)
            return next((run.info.run_id for run in runs if run.info.status == "FINISHED"), None)

    def names(self) -> list[str]:
        """List the names of all registered models."""
        with self._connection.guard(FramelightError):
            return [model.name for model in paginate(self._client.search_registered_models)]

    def versions(self, name: str) -> list[Version]:
        """List the versions of a model in order of their numbers; empty for an unknown name."""
        with self._connection.guard(FramelightError):
            versions = paginate(partial(self._client.search_model_versions, f"name = '{name}'"))
            return [
                Version(version.name, str(version.version), version.source, version.tags)
                for version in sorted(versions, key=lambda version: int(version.version))
            ]

    def aliases(self, name: str) -> dict[str, str]:
        """Get the version number of each alias of a model; empty for an unknown name."""
        with self._connection.guard(FramelightError):
            models = paginate(partial(self._client.search_registered_models, f"name = '{name}'"))
            return {alias: str(number) for model in models for alias, number in model.aliases.items()}

    def register(self, name: str, run_id: str, tags: Mapping[str, str], prepare: ModelWriter) -> tuple[Version, bool]:
        """Log the model file of a job to its MLflow run, unless it was logged before, and register the logged model.

        Parameters
        ----------
        name : str
            Name of the registered model.
        run_id : str
            MLflow run of the job.
        tags : mapping of str to str
            Tags of the version, including `JOB_TAG` and `SHA256`.
        prepare : callable
            Writes the files of the logged model.

        Returns
        -------
        version : Version
        new : bool
            False if this file was registered before.
        """
        with self._connection.guard(FramelightError), lock_location(self.location):
            model = self._get_or_log_model(run_id, tags, prepare)
            self._link(run_id, model)
            registered = [version for version in self.versions(name) if version.tags.get(MODEL) == model.model_id]
            if registered:
                return registered[-1], False
            if name not in self.names():
                self._client.create_registered_model(name)
            created = self._client.create_model_version(
                name, model.artifact_location, run_id, tags={**tags, MODEL: model.model_id}, model_id=model.model_id
            )
            assert created.source is not None
            return Version(name, str(created.version), created.source, created.tags), True

    def set_alias(self, version: Version, alias: str) -> None:
        """Point an alias of a registered model to this version."""
        with self._connection.guard(FramelightError), lock_location(self.location):
            self._client.set_registered_model_alias(version.name, alias, version.number)

    def folder(self, version: Version) -> Path | None:
        """Find a version's files on this machine; None if they must be downloaded."""
        path = local_path(version.location)
        if path is None:
            return None
        in_store = self.location.store.mlflow_model(version.tags.get(MODEL, ""))  # not `path` if the store was moved
        return next((folder for folder in (in_store, path) if folder.is_dir()), None)

    def fetch(self, version: Version, folder: Path) -> None:
        """Download a version's files into `folder`."""
        with self._connection.guard(FramelightError), tempfile.TemporaryDirectory(dir=folder) as temp_dir:
            get_files = partial(download, version.location, Path(temp_dir), self.location.uri)
            for path in call_with_deadline(get_files, TRANSFER_SECONDS, str(self.location)).iterdir():
                path.rename(folder / path.name)

    def _get_or_log_model(self, run_id: str, tags: Mapping[str, str], prepare: ModelWriter) -> LoggedModel:
        """Return the logged model of a file; log the file if there is no intact model.

        Models that this store logged earlier for the same file are deleted if they are unfinished, or if their copy of
        the file is missing or has changed. Models that other stores logged are never deleted.
        """
        for model in self._logged_models(tags):
            if model.status == "READY" and self._is_intact(model):
                return model
            if self.location.database or model.tags.get(WRITER_TAG) == writer_id(self.location):
                self._client.delete_logged_model(model.model_id)
                path = local_path(model.artifact_location)
                if path is not None and path.parent.name == model.model_id:
                    shutil.rmtree(path.parent, ignore_errors=True)
        model = self._client.create_logged_model(
            self._connection.experiment, NAME, source_run_id=run_id, tags={**tags, **source_tags(self.location)}
        )
        with tempfile.TemporaryDirectory() as temp_dir:
            folder = Path(temp_dir) / "model"
            prepare(folder, model)
            self._client.log_model_artifacts(model.model_id, str(folder))
        return self._client.finalize_logged_model(model.model_id, "READY")

    def _logged_models(self, tags: Mapping[str, str]) -> list[LoggedModel]:
        condition = f"tags.`{SHA256}` = '{tags[SHA256]}' AND tags.`{JOB_TAG}` = '{tags[JOB_TAG]}'"
        return paginate(partial(self._client.search_logged_models, [self._connection.experiment], condition))

    def _is_intact(self, model: LoggedModel) -> bool:
        """Return False if the model's file on this machine is missing or has changed; remote files are not checked."""
        path = local_path(model.artifact_location)
        if path is None:
            return True
        file = path / FOLDER / FILE
        return file.is_file() and hash_file(file) == model.tags[SHA256]

    def _link(self, run_id: str, model: LoggedModel) -> None:
        outputs = self._client.get_run(run_id).outputs
        if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else ())}:
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
