"""Definition of a job, and the hashes that identify it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.data.protocol import Protocol
from harness.features import DEFAULT_MEMORY
from harness.smoothing.candidates import SmoothingGrid
from harness.tracking.code_identity import CodeIdentity
from harness.tracking.records import DisplayLabels, Record
from harness.training.heads.config import HeadConfig, HeadOverride
from harness.utils.errors import FramelightError, InputError
from harness.utils.hashing import content_hash
from harness.utils.store import Store
from harness.utils.type_checks import have_hinted_types

LABELS = "labels"
"""Value of `Configuration.features` for the baseline that repeats the previous label."""

REVISION = 3
"""Increased when the arithmetic of a job changes, so that old records are not mistaken for new ones."""


@dataclass(frozen=True)
class Configuration:
    """Everything that a result depends on, except the seed.

    Attributes
    ----------
    kind : {"run", "baseline", "trial"}
        `run` for a combination of a recipe's grids, `trial` for a trial of a search.
    task : str
        Name of the task.
    data : str
        Digest of images and labels.
    entry : str
        Key of the entry in the feature store; it depends on weights, preprocessing, images and precision. Empty for a
        baseline that does not use the images.
    features : str
        Features of the head, or `none`, `noise` or `labels` for a baseline.
    head : HeadConfig or None
        None if nothing is trained (constant, zero-shot scores, previous label).
    smoothing : SmoothingGrid
        Filters to select from.
    protocol : Protocol
        How settings are selected.
    thresholds, missing : str
        See `Recipe`.
    revision : int
        See `REVISION`.
    """

    hash_tag: ClassVar[str] = "Configuration"
    kind: str
    task: str
    data: str
    entry: str
    features: str
    head: HeadConfig | None
    smoothing: SmoothingGrid
    protocol: Protocol
    thresholds: str = "chosen"
    missing: str = "dropped"
    revision: int = REVISION

    @property
    def group_id(self) -> str:
        """Hash of the configuration."""
        return content_hash(self)

    def group_id_of_trainings(self, training_group: str) -> str:
        """Compute the hash that jobs on different trainings of the same backbone have in common.

        Parameters
        ----------
        training_group : str
            Hash of the feature keys of all trainings, which replaces `entry`; empty if there is only one training.
        """
        return dataclasses.replace(self, entry=training_group).group_id if training_group else self.group_id


@dataclass(frozen=True, kw_only=True)
class Job(DisplayLabels):
    """A configuration with a seed, its display labels, and the paths that it reads and writes.

    Attributes
    ----------
    configuration : Configuration
        Settings that the result depends on.
    seed : int
        Seed of the training.
    backbone_parameters : int
        Number of parameters of the backbone.
    data : Path
        Folder of the dataset.
    labels : str
        Digest of the annotations of the task in both splits.
    store : Store
        Store of the results.
    entry : str
        Key of the feature entry whose frames are used.
    pictures : bool
        Whether figures are drawn.
    memory : int
        Maximum size, in bytes, of the features in memory. It applies to the fit rows and to the selection rows
        separately. Results do not depend on it.
    code : CodeIdentity, optional
        Code that runs the job; not part of its identity.
    """

    configuration: Configuration
    seed: int
    backbone_parameters: int
    data: Path
    labels: str
    store: Store
    entry: str
    pictures: bool = False
    memory: int = DEFAULT_MEMORY
    code: CodeIdentity | None = None

    @property
    def group_id(self) -> str:
        """Hash of the configuration, equal for all seeds and for all trainings of the backbone."""
        return self.configuration.group_id_of_trainings(self.training_group)

    @property
    def job_id(self) -> str:
        """Identity of the job: `group_id`, seed of the backbone's training (if it has several), and `seed`."""
        training = "" if self.training is None else f"-t{self.training}"
        return f"{self.group_id}{training}-s{self.seed}"

    @property
    def training_configuration(self) -> Configuration:
        """Configuration without postprocessing, equal for jobs that can share a training.

        Without cross-validation, a trial of a search is scored on the selection split, so it has no refit.
        """
        protocol = self.configuration.protocol.for_seed(self.seed)
        if self.configuration.kind == "trial" and not protocol.folds:
            protocol = dataclasses.replace(protocol, refit=False)
        return dataclasses.replace(
            self.configuration,
            smoothing=SmoothingGrid(),
            kind="training",
            thresholds="chosen",
            missing="dropped",
            protocol=protocol,
        )

    @property
    def training_id(self) -> str:
        """Identity of the saved predictions, equal for jobs that share a training."""
        return f"{content_hash(self.training_configuration)}-s{self.seed}"

    @property
    def folder(self) -> Path:
        """Folder of the result."""
        return self.store.job(self.job_id)

    @property
    def predictions(self) -> Path:
        """Folder of the saved predictions, which jobs may share."""
        return self.store.predictions(self.training_id)


CONFIGURATION_TYPES = {
    kind.hash_tag: kind for kind in (Configuration, HeadConfig, HeadOverride, Protocol, SmoothingGrid)
}

INVALID = object()
"""Stands for a part of a configuration that cannot be parsed. It is not None, as some fields may be None."""


def parse_configuration(record: Record) -> Configuration:
    """Parse the configuration in a record.

    Parameters
    ----------
    record : Record

    Returns
    -------
    Configuration

    Raises
    ------
    FramelightError
        If another version of Framelight wrote the record, or a setting does not have the type of its field.
    """
    configuration, group = _from_jsonable(record.config), record.training_group
    if not isinstance(configuration, Configuration) or configuration.group_id_of_trainings(group) != record.group_id:
        raise FramelightError(
            f"run {record.group_id} was made by another version of Framelight and has other settings; "
            "run its recipe again"
        )
    return configuration


def _from_jsonable(value: Any) -> Any:
    """Invert `harness.utils.hashing.to_jsonable`; return `INVALID` for an unknown class or invalid fields."""
    if isinstance(value, dict):
        fields = {name: _from_jsonable(part) for name, part in value.items() if name != "type"}
        try:
            kind = CONFIGURATION_TYPES[value["type"]]
            return kind(**fields) if have_hinted_types(kind, fields) else INVALID
        except (KeyError, TypeError, OverflowError, InputError):
            return INVALID
    return tuple(map(_from_jsonable, value)) if isinstance(value, list) else value
