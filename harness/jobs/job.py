"""What one job is, and the hash it is known by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.data.protocol import Protocol
from harness.features import DEFAULT_MEMORY
from harness.smoothing.candidates import SmoothingGrid
from harness.tracking.records import DisplayLabels, Record
from harness.training.heads.config import HeadConfig, HeadOverride
from harness.utils.errors import FramelightError
from harness.utils.hashing import content_hash
from harness.utils.store import Store

LABELS = "labels"
"""Features of the baseline that repeats the previous label."""

REVISION = 3
"""Raised when the arithmetic of a job changes, so that old records are not taken for new ones."""


@dataclass(frozen=True)
class Configuration:
    """All that a result depends on but the seed.

    kind: `run`, `baseline` or `trial`; data: digest of images and labels; entry: key of the feature entry
    (weights, preprocessing, images, precision; empty for a baseline that reads no image); head: None where nothing is
    trained (a constant, scores read as they are, the previous label). thresholds, missing: see `Recipe`.
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
        return content_hash(self)


@dataclass(frozen=True, kw_only=True)
class Job(DisplayLabels):
    """One configuration and seed, with the words it is shown by and the places it reads and writes.

    labels: digest of the task's annotations in both splits, which the configuration's `data` covers together with
    the images. pictures: whether the analysis is drawn. memory: bytes of features held for training, on which no
    result depends.
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

    @property
    def group_id(self) -> str:
        return self.configuration.group_id

    @property
    def job_id(self) -> str:
        return f"{self.group_id}-s{self.seed}"

    @property
    def training_configuration(self) -> Configuration:
        """The same for jobs that differ only in what is done with outputs."""
        return dataclasses.replace(
            self.configuration, smoothing=SmoothingGrid(), kind="training", thresholds="chosen", missing="dropped"
        )

    @property
    def training_id(self) -> str:
        """Identity of the kept predictions, which those jobs share."""
        return f"{content_hash(self.training_configuration)}-s{self.seed}"

    @property
    def folder(self) -> Path:
        return self.store.job(self.job_id)

    @property
    def predictions(self) -> Path:
        return self.store.predictions(self.training_id)


CONFIGURATION_TYPES = {
    kind.hash_tag: kind for kind in (Configuration, HeadConfig, HeadOverride, Protocol, SmoothingGrid)
}


def parse_configuration(record: Record) -> Configuration:
    """The configuration a record was made with; FramelightError where this version has no such configurations."""
    made = _from_jsonable(record.config)
    if not isinstance(made, Configuration) or made.group_id != record.group_id:
        raise FramelightError(
            f"run {record.group_id} was made by another version of Framelight, whose settings this "
            "one does not know; run its recipe again"
        )
    return made


def _from_jsonable(value: Any) -> Any:
    """The inverse of `harness.utils.hashing.to_jsonable`; None for what does not fit."""
    if isinstance(value, dict):
        fields = {name: _from_jsonable(part) for name, part in value.items() if name != "type"}
        try:
            return CONFIGURATION_TYPES[value["type"]](**fields)
        except (KeyError, TypeError):
            return None
    return tuple(map(_from_jsonable, value)) if isinstance(value, list) else value
