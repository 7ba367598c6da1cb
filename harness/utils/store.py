"""Folders and files of a store, which is the folder of all results."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from harness.utils.errors import InputError
from harness.utils.names import path_in
from harness.utils.paths import environment_variable, expand_home

ARTIFACTS = "artifacts"
DIGESTS = "digests.json"
"""Name of the file with digests of crops, in the folder of features."""


class RelativePath:
    """Descriptor that returns a path in the folder of a path-like object; on the class, it is the relative path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __get__(self, folder: os.PathLike[str] | None, owner: type | None = None) -> Path:
        return Path(self.path) if folder is None else Path(folder) / self.path


@dataclass(frozen=True)
class Store:
    """Folder that results are written to and read from.

    A store is path-like and prints as its root. Its attributes are paths; accessing them creates no files.

    Parameters
    ----------
    root : path-like
        Folder of the store.
    tracking_uri : str, optional
        MLflow server or database that runs are tracked in. Default: the store's own database.
    """

    root: Path
    tracking_uri: str | None = None

    mlflow_database = RelativePath("mlflow.db")
    mlflow_lock = RelativePath("mlflow.lock")
    optuna_database = RelativePath("optuna.db")

    features = RelativePath("features")
    """Feature entries, see `harness.features.store`, and small JSON caches."""
    digests = RelativePath(f"features/{DIGESTS}")
    backbone_info = RelativePath("features/backbones.json")
    crop_margins = RelativePath("features/margins.json")
    dataset_locations = RelativePath("features/whereabouts.json")

    jobs = RelativePath(f"{ARTIFACTS}/jobs")
    """Files of each job, see `harness.jobs.job_folder`."""
    all_predictions = RelativePath(f"{ARTIFACTS}/predictions")
    """Predictions and models of trainings, shared by jobs that differ in postprocessing only."""
    causal = RelativePath(f"{ARTIFACTS}/causal")
    """Results of jobs with causal filters, see `harness.jobs.causal`; one folder per job."""
    significance = RelativePath(f"{ARTIFACTS}/evidence")
    """Cache of intervals, paired tests and downloaded statistics."""
    backbones = RelativePath(f"{ARTIFACTS}/backbones")
    """Trained and imported backbones."""
    trainings = RelativePath(f"{ARTIFACTS}/trainings")
    """Reports of trained backbones."""
    engines = RelativePath(f"{ARTIFACTS}/engines")
    """Compiled engines, and the fastest engine for each backbone."""
    studies = RelativePath(f"{ARTIFACTS}/studies")
    """Locks of Optuna studies."""
    exports = RelativePath(f"{ARTIFACTS}/exports")
    """Records of exported files, one folder per job."""
    models = RelativePath(f"{ARTIFACTS}/models")
    """Models downloaded from the model registry of an MLflow server."""
    leaks = RelativePath(f"{ARTIFACTS}/leaks")
    """Results of leakage checks: hashes and near duplicates of crops, and crops that a backbone learned from."""
    synthetic = RelativePath(f"{ARTIFACTS}/synthetic")
    """Rendered datasets."""
    mlflow = RelativePath(f"{ARTIFACTS}/mlflow")
    """Files of MLflow's runs and models."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", expand_home(self.root))

    @classmethod
    def default(cls, place: Store | Path | str | None = None, tracking_uri: str | None = None) -> Store:
        """Return the store that a command or function uses.

        Parameters
        ----------
        place : Store or path, optional
            Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
        tracking_uri : str, optional
            Default: the tracking URI of `place` if that is a Store, else `$MLFLOW_TRACKING_URI`.
        """
        if isinstance(place, cls):
            return place if tracking_uri is None else dataclasses.replace(place, tracking_uri=tracking_uri)
        return cls(
            Path(place if place is not None else environment_variable("FRAMELIGHT_STORE") or "framelight-store"),
            tracking_uri or environment_variable("MLFLOW_TRACKING_URI"),
        )

    def __fspath__(self) -> str:
        return str(self.root)

    __str__ = __fspath__

    def resolve(self) -> Store:
        """Return the same store with an absolute root."""
        return dataclasses.replace(self, root=self.root.resolve())

    @property
    def untracked(self) -> Store:
        """Same store without the tracking URI."""
        return Store(self.root)

    @property
    def has_runs(self) -> bool:
        """Whether runs may have been tracked, in the store's own database or elsewhere."""
        return bool(self.tracking_uri) or self.mlflow_database.is_file()

    def require_folder(self) -> None:
        """Raise InputError if the root is a file."""
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"--store {self} is a file; a store is a folder")

    def job(self, job_id: str) -> Path:
        """Return the folder of a job; raise InputError for a name that is not an id, see `path_in`."""
        return path_in(self.jobs, job_id, "a job")

    def causal_replay(self, job_id: str) -> Path:
        """Return the folder of the causal replay of a job."""
        return path_in(self.causal, job_id, "a job")

    def exported(self, job_id: str) -> Path:
        """Return the folder with the export records of a job."""
        return path_in(self.exports, job_id, "a job")

    def fetched_statistics(self, job_id: str) -> Path:
        """Return the file with the statistics of a job that were downloaded from a tracking server."""
        folder = self.significance / "statistics"
        return folder / f"{path_in(folder, job_id, 'a job').name}.npz"

    def predictions(self, training_id: str) -> Path:
        """Return the folder of a training's predictions and model."""
        return path_in(self.all_predictions, training_id, "a training")

    def mlflow_model(self, model_id: str) -> Path:
        """Return the folder of a model that MLflow logged."""
        return path_in(self.mlflow / "models", model_id, "a model") / ARTIFACTS

    @property
    def atomic_folders(self) -> tuple[Path, ...]:
        """Folders whose entries are complete or absent; a killed process may leave temporary entries there."""
        return (self.jobs, self.all_predictions, self.synthetic, self.backbones, self.trainings, self.leaks)
