"""The folders and files of a store: every result of this machine lies under one root."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from harness.utils.errors import InputError

ARTIFACTS = "artifacts"
DIGESTS = "digests.json"
"""Digests of crops, in the folder of features."""


@dataclass(frozen=True)
class Store:
    """Where results are written and read; nothing is created by asking for a path.

    A store is path-like and prints as its root.

    Parameters
    ----------
    root : path-like
        The folder that holds everything else.
    tracking_uri : str, optional
        An MLflow server or database that runs are tracked in instead of the store's own.
    """

    root: Path
    tracking_uri: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    @classmethod
    def of(cls, place: Store | Path | str) -> Store:
        """The store at a path; a `Store` as it is."""
        return place if isinstance(place, cls) else cls(Path(place))

    def __fspath__(self) -> str:
        return str(self.root)

    def __str__(self) -> str:
        return str(self.root)

    def resolve(self) -> Store:
        """The same store with an absolute root."""
        return dataclasses.replace(self, root=self.root.resolve())

    @property
    def untracked(self) -> Store:
        """The same store without the tracking URI: what it holds itself."""
        return Store(self.root)

    @property
    def has_runs(self) -> bool:
        """Whether runs can have been tracked, in the store's own database or elsewhere."""
        return bool(self.tracking_uri) or self.mlflow_database.is_file()

    def require_folder(self) -> None:
        """Raise InputError where the root is a file."""
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"--store {self} is a file; a store is a folder")

    @property
    def mlflow_database(self) -> Path:
        return self.root / "mlflow.db"

    @property
    def mlflow_lock(self) -> Path:
        return self.root / "mlflow.lock"

    @property
    def optuna_database(self) -> Path:
        return self.root / "optuna.db"

    @property
    def features(self) -> Path:
        """Feature entries, see `harness.features.store`, and the small JSON caches."""
        return self.root / "features"

    @property
    def digests(self) -> Path:
        return self.features / DIGESTS

    @property
    def backbone_info(self) -> Path:
        """Cache of what is known of backbones without loading them."""
        return self.features / "backbones.json"

    @property
    def crop_margins(self) -> Path:
        return self.features / "margins.json"

    @property
    def dataset_locations(self) -> Path:
        return self.features / "whereabouts.json"

    @property
    def artifacts(self) -> Path:
        return self.root / ARTIFACTS

    @property
    def jobs(self) -> Path:
        return self.artifacts / "jobs"

    def job(self, job_id: str) -> Path:
        """What a job left, see `harness.jobs.job_folder`."""
        return self.jobs / job_id

    @property
    def all_predictions(self) -> Path:
        """Predictions and models of trainings, a folder each."""
        return self.artifacts / "predictions"

    def predictions(self, training_id: str) -> Path:
        """Those of one training, which jobs that differ in postprocessing alone share."""
        return self.all_predictions / training_id

    @property
    def causal(self) -> Path:
        """Causal replays of jobs, a folder each."""
        return self.artifacts / "causal"

    @property
    def significance(self) -> Path:
        """Cache of intervals and paired tests."""
        return self.artifacts / "evidence"

    @property
    def backbones(self) -> Path:
        """Trained and imported backbones."""
        return self.artifacts / "backbones"

    @property
    def trainings(self) -> Path:
        """Reports of trained backbones, a folder each."""
        return self.artifacts / "trainings"

    @property
    def engines(self) -> Path:
        """Which engine is the fastest for a backbone, and compiled engines."""
        return self.artifacts / "engines"

    @property
    def studies(self) -> Path:
        """Locks of Optuna studies."""
        return self.artifacts / "studies"

    @property
    def exports(self) -> Path:
        """What is known of exported files, a folder for each job."""
        return self.artifacts / "exports"

    @property
    def models(self) -> Path:
        """Models downloaded from a registry."""
        return self.artifacts / "models"

    @property
    def leaks(self) -> Path:
        """Near-duplicate crops of data sets."""
        return self.artifacts / "leaks"

    @property
    def synthetic(self) -> Path:
        """Rendered data sets."""
        return self.artifacts / "synthetic"

    @property
    def mlflow(self) -> Path:
        """Files of MLflow's runs and models."""
        return self.artifacts / "mlflow"

    def mlflow_model(self, model_id: str) -> Path:
        """Files of a model that MLflow logged."""
        return self.mlflow / "models" / model_id / ARTIFACTS

    @property
    def written_whole(self) -> tuple[Path, ...]:
        """Folders whose entries appear whole or not at all; a killed process may leave temporary ones there."""
        return (self.jobs, self.all_predictions, self.synthetic, self.backbones, self.trainings, self.leaks)
