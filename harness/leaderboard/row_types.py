"""Types of rows of the leaderboard.

A board is the table of all rows with the same task, dataset, split and protocol. Statistics are the sufficient
statistics per unit (video or subject) that each job saves; see `harness.metrics.unit_statistics`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

CONFIGURATION_FIELDS = (
    "task",
    "dataset",
    "split",
    "protocol",
    "optimistic",
    "kind",
    "flags",
    "backbone",
    "weights",
    "random_weights",
    "features",
    "head",
    "settings",
    "distinction",
)
"""Fields that describe the board and the configuration of a row, in the order of the columns of the CSV."""

ORACLE_FLAG = "uses_labels"
"""Flag of rows that use the labels of the reported split."""
INTERVAL_METHOD = "jackknife"
"""Method of intervals that are computed from the statistics of a run; see `harness.metrics.intervals`."""


@dataclass(kw_only=True)
class BoardRow:
    """Fields that rows have on every board: the identity of the board and the configuration of the row.

    Attributes
    ----------
    run_id : str
        The `group_id` of the configuration's records.
    task, dataset, data_digest, split, protocol, metric : str
        The board that the row is on; `data_digest` identifies the dataset.
    optimistic : bool
        Whether the configuration was selected on the split that it reports.
    kind : {"run", "baseline", "published"}
        Origin of the result.
    flags : list of str
        See `harness.tracking.records.FLAGS`; also `altered` and `other_code`, which depend on the store and the board.
    backbone, weights, features, head : str
        Display names.
    random_weights : bool
        Whether the weights of the backbone are random.
    settings : dict
        Settings of the head.
    units : int
        Number of videos or subjects scored.
    unit : str
        `video` or `subject`.
    distinction : list of str
        Settings in which the row differs from other rows of its board with the same backbone, features and head.
    """

    run_id: str
    task: str
    dataset: str
    data_digest: str
    split: str
    protocol: str
    optimistic: bool
    metric: str
    kind: str
    flags: list[str]
    backbone: str
    weights: str
    random_weights: bool
    features: str
    head: str
    settings: dict[str, Any]
    units: int
    unit: str
    distinction: list[str] = field(default_factory=list)

    def shared_fields(self) -> dict[str, Any]:
        """Return the fields of `BoardRow` by name, to build a row of another board."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(BoardRow)}

    def as_dict(self) -> dict[str, Any]:
        """Return all fields by name."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}


@dataclass(kw_only=True)
class LeaderboardRow(BoardRow):
    """A row of the leaderboard.

    Attributes
    ----------
    kernel : str or None
        Smoothing kernel; `mixed` if seeds differ.
    radius : float or None
        Smoothing radius in frames; the median if seeds differ.
    seeds, seeds_missing : list of int
        Seeds with a finished job, and expected seeds that lack a finished job on some training of the backbone.
    value : float or None
        Mean of the metric over the finished seeds; None if no seed is finished.
    trainings, trainings_missing : list of int
        Seeds of the trainings of the backbone that have a finished job, and of expected trainings that have none. Both
        are empty if the recipe has only one training of the backbone.
    std : float or None
        Standard deviation of the score of a single job, over seeds and trainings of the backbone; None for one job.
    std_trainings : float or None
        Standard deviation between trainings of the backbone; None for one training. See
        `harness.metrics.variance_components`.
    std_seeds : float or None
        Standard deviation between seeds of the head; None for one seed.
    refit : bool or None
        Whether the model was fitted again on all training videos after the selection; None if the protocol has no
        held-out videos.
    ci_low, ci_high : float or None
        95% confidence interval. It is for the score that would be measured on very many units.
    ci_method : {"jackknife", "records"} or None
        Method of the interval; `records` if the interval is the mean of the seeds' intervals.
    corrected : float or None
        `value` corrected for the bias of few units; None without statistics.
    few_units : dict of str to float
        For each class with fewer effective units than `harness.metrics.effective_units.FEW_UNITS`: the effective number
        of units with its labels, by the metric of the class.
    rare_classes : dict of str to int
        For each class with fewer labels in the scored frames than `harness.metrics.rare_classes.MIN_LABELS`: the number
        of its labels, by the metric of the class.
    without_rare : float or None
        The metric computed without the classes that are rare in some row of the board. None if no class is rare, no
        class is left, or statistics are missing.
    unsmoothed : float or None
        The metric without smoothing, mean over seeds.
    metrics : dict
        Means over seeds of all metrics that every seed has.
    undefined : list of str
        Metrics that are undefined for some seed, where they count as 0.
    coverage : float or None
        Scored frames divided by annotated frames.
    parameters : int
        Parameters of backbone and head.
    source, note : str or None
        Source of a published figure, and a remark on it.
    rank : int or None
        Place in the order of values, shared by equal values; None for rows that are not ranked.
    tied_with_best : bool or None
        Whether the adjusted `p_value` is above 0.05; True for the best row, None if no test is possible.
    p_value : float or None
        P-value of the test against the best row. It is adjusted for the number of rows, and for the fact that the best
        row is chosen from the same scores.
    untested : bool
        Whether this row has no test although other rows of the board have one; also True if its statistics are missing.
    has_statistics : bool or None
        Whether the statistics of all jobs of the row are available; without them `value` cannot be verified. None if
        this was not checked.
    detectable : float or None
        Minimum difference to the best row that the test of `p_value` detects with 80% power.
    configurations : int or None
        Number of ranked runs of the board, without baselines; None for rows that are not ranked.
    expected_luck : float or None
        Expected lead of the best ranked run over the mean of the ranked runs if all were equally good. None if nothing
        was tested, or for a single run.
    verified : bool or None
        Whether the files of all jobs are unchanged since they were written, and `value` follows from them. False if
        this is not known or there are `problems`. None if nothing was verified, as for published figures.
    problems : list of str
        Altered files and scores, with what to do; a row with problems has the flag `altered` and no rank.
    oracle : bool
        Whether the row uses the labels of the reported split; such rows have no rank.
    code : str or None
        Hash of the code that ran the jobs, `mixed` if seeds differ, None if not recorded. Rows that differ from most
        rows of the board have the flag `other_code`.
    """

    kernel: str | None
    radius: float | None
    seeds: list[int]
    seeds_missing: list[int]
    trainings: list[int]
    trainings_missing: list[int]
    value: float | None
    std: float | None
    std_trainings: float | None
    std_seeds: float | None
    refit: bool | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    unsmoothed: float | None
    metrics: dict[str, float]
    undefined: list[str]
    coverage: float | None
    parameters: int
    source: str | None
    note: str | None
    corrected: float | None = None
    few_units: dict[str, float] = field(default_factory=dict)
    rare_classes: dict[str, int] = field(default_factory=dict)
    without_rare: float | None = None
    rank: int | None = None
    tied_with_best: bool | None = None
    p_value: float | None = None
    untested: bool = False
    has_statistics: bool | None = None
    detectable: float | None = None
    verified: bool | None = None
    problems: list[str] = field(default_factory=list)
    code: str | None = None
    configurations: int | None = None
    expected_luck: float | None = None
    oracle: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.oracle = ORACLE_FLAG in self.flags
