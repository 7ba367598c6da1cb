"""The record of a job: scores, selected settings and provenance.

Jobs are identified by content: `group_id` is a hash of everything but the seed (configuration, data, weights), and
`job_id` adds the seed. Names in a record, such as those of dataset and backbone, are labels for people. They are never
used as keys.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.utils.errors import FramelightError

KINDS = ("run", "baseline", "published", "trial")
"""Kinds of jobs. A trial is a step of a search: it is scored on the selection split only and is on no leaderboard."""
STATUSES = ("finished", "failed", "pruned")
FLAGS = {
    "uses_labels": "uses the labels of the reported split",
    "seen_crops": "the backbone learned from images that are crops of the reported split",
    "own_scores": "features include the backbone's own predictions of the targets",
}
"""Caveats of a result, and their explanation."""
_TUPLE_FIELDS = ("thresholds", "expected_seeds", "expected_trainings", "undefined", "flags")
_SCORE_FIELDS = ("metrics", "unsmoothed", "selection")


@dataclass(frozen=True, kw_only=True)
class DisplayLabels:
    """Labels that a result is displayed with.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    expected_seeds : tuple of int
        Seeds of the recipe.
    backbone : str
        Label of the backbone.
    backbone_weights : str
        Name of the backbone's weights.
    backbone_random : bool
        Whether the weights are random.
    weights_hash : str
        Hash of the weights.
    flags : tuple of str
        Keys of `FLAGS`.
    recipe : str
        Name of the recipe.
    training : int or None
        Seed of the backbone's training, if the recipe trains it with several seeds.
    expected_trainings : tuple of int
        Seeds of all trainings of the backbone.
    training_group : str
        Hash of the cached features of all trainings. In `group_id`, it replaces the hash of the features of a single
        training (`entry` in `config`), so that the jobs of all trainings are in one group.
    """

    dataset: str
    expected_seeds: tuple[int, ...]
    backbone: str = ""
    backbone_weights: str = ""
    backbone_random: bool = False
    weights_hash: str = ""
    flags: tuple[str, ...] = ()
    recipe: str = ""
    training: int | None = None
    expected_trainings: tuple[int, ...] = ()
    training_group: str = ""

    def display_labels(self) -> dict[str, Any]:
        """Return the fields of `DisplayLabels` by name."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(DisplayLabels)}


@dataclass(frozen=True, kw_only=True)
class Record(DisplayLabels):
    """Result of one job.

    Attributes
    ----------
    job_id, group_id : str
        Identity of the job with and without its seed.
    kind : {"run", "baseline", "published", "trial"}
        Kind of the job.
    task : str
        Name of the task.
    data_digest : str
        Digest of images and labels.
    split : str
        Split that is scored.
    protocol : str
        Name of the protocol.
    metric : str
        Name of the task's metric, a key of `metrics`.
    seed : int
        Seed of the job.
    status : {"finished", "failed", "pruned"}
        Status of the job.
    parameters : int
        Parameters of backbone and head together; 0 for a constant.
    features, head : str
        Features and kind of head.
    kernel, radius : str and int
        Selected smoothing; `none` and 0 if nothing is smoothed.
    thresholds : tuple of 12 float, optional
        Selected thresholds of the action units; None for 0.5.
    epoch : int, optional
        Selected epoch.
    metrics : mapping of str to float
        Scores on `split`, with the selected epoch, thresholds and smoothing.
    unsmoothed : mapping of str to float
        The same scores at radius 0.
    selection : mapping of str to float
        Scores of the selected settings on the selection split.
    undefined : tuple of str
        Names of metrics without a defined value; such metrics count as 0.
    coverage : float, optional
        Ratio of scored to annotated frames.
    annotated, scored : int
        Numbers of annotated and of scored frames.
    units : int
        Number of scored units.
    unit : {"video", "subject"}
        Kind of unit.
    ci_low, ci_high : float, optional
        Bounds of the 95% CI of this seed's score, from resampling units.
    config : mapping
        All other settings of the job.
    curve : mapping
        ``{kernel: {"radius": [...], "reported": [...], "selected": [...]}}``: metric at each radius, by split.
    duration : mapping of str to float
        Seconds of each stage.
    environment : mapping
        See `harness.tracking.environment`.
    error : str, optional
        Error message of a failed job.
    code : mapping
        Code that ran the job, see `harness.tracking.code_identity`; empty in records of early Framelight versions.

    Raises
    ------
    FramelightError
        If the kind or the status is unknown, a score is not finite, or a finished record lacks the metric of its task.
    """

    job_id: str
    group_id: str
    kind: str
    task: str
    data_digest: str
    split: str
    protocol: str
    metric: str
    seed: int
    status: str = "finished"
    parameters: int = 0
    features: str = ""
    head: str = ""
    kernel: str = "none"
    radius: int = 0
    thresholds: tuple[float, ...] | None = None
    epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    unsmoothed: Mapping[str, float] = field(default_factory=dict)
    selection: Mapping[str, float] = field(default_factory=dict)
    undefined: tuple[str, ...] = ()
    coverage: float | None = None
    annotated: int = 0
    scored: int = 0
    units: int = 0
    unit: str = "video"
    ci_low: float | None = None
    ci_high: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    curve: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    duration: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    code: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _TUPLE_FIELDS:
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(to_builtin(value)))
        if self.kind not in KINDS or self.status not in STATUSES:
            raise FramelightError(
                f"record {self.job_id}: kind '{self.kind}' or status '{self.status}' does not exist; "
                f"kinds: {', '.join(KINDS)}; statuses: {', '.join(STATUSES)}"
            )
        for name in _SCORE_FIELDS:
            not_finite = [key for key, value in getattr(self, name).items() if not math.isfinite(value)]
            if not_finite:
                raise FramelightError(
                    f"record {self.job_id}: {name} {', '.join(not_finite)} not finite; "
                    "set an undefined metric to 0 and list it in `undefined`"
                )
        if self.status == "finished" and self.metric not in self.metrics:
            raise FramelightError(f"record {self.job_id}: status is finished but {self.metric} is missing in metrics")

    @property
    def repetition(self) -> tuple[int | None, int]:
        """Seed of the backbone's training, and seed of the job: what differs between the jobs of a group."""
        return self.training, self.seed

    def light(self) -> Record:
        """Return the record without the fields that leaderboards do not read: curves, environment, durations."""
        return dataclasses.replace(self, curve={}, environment={}, duration={})


def to_builtin(value: Any) -> Any:
    """Convert numpy scalars and arrays to Python types."""
    return value.tolist() if hasattr(value, "tolist") else value
