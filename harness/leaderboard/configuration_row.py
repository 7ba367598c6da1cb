"""The leaderboard row of one configuration, from its jobs and their statistics."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.leaderboard.code_differences import shared_code
from harness.leaderboard.configurations import (
    finished_records,
    mean_metrics,
    mean_over_seeds,
    mean_score,
    representative_record,
)
from harness.leaderboard.differing_settings import head_settings
from harness.leaderboard.repetitions import group_by_training
from harness.leaderboard.row_types import INTERVAL_METHOD, LeaderboardRow
from harness.leaderboard.significance_results import BoardComparison, PairedDifference, ScoreInterval
from harness.leaderboard.verification_result import ALTERED, VerifyJobs
from harness.metrics.variance_components import variance_components
from harness.tracking.records import Record

PUBLISHED = "published"


class SignificanceProvider(Protocol):
    """Source of confidence intervals and paired tests; see `harness.leaderboard.significance.SignificanceCache`."""

    def interval(self, jobs: Sequence[Record]) -> ScoreInterval | None:
        """Return the 95% confidence interval of the mean score of the jobs, or None if it cannot be computed."""
        ...

    def rare_classes(self, jobs: Sequence[Record]) -> dict[str, int]:
        """Return the number of labels of each class with few labels, by the metric of the class."""
        ...

    def score_without(self, jobs: Sequence[Record], classes: Collection[str]) -> float | None:
        """Return the score without some classes, averaged over the jobs, or None if it cannot be computed."""
        ...

    def difference(self, first: Sequence[Record], second: Sequence[Record]) -> PairedDifference | None:
        """Return the paired difference of two configurations, or None if they cannot be tested."""
        ...

    def best_comparison(self, groups: Sequence[Sequence[Record]]) -> BoardComparison | None:
        """Return the comparison of configurations with the best one, or None if they cannot be tested."""
        ...

    def find_statistics(self, job: Record) -> tuple[Path, str] | None:
        """Return the file of a job's statistics and its SHA-256, or None if it is missing or damaged."""
        ...


def make_row(
    group: list[Record], significance: SignificanceProvider | None, verify: VerifyJobs | None
) -> LeaderboardRow:
    """Build the row of one configuration from its jobs, which are sorted by training of the backbone and seed."""
    finished = finished_records(group)
    checked = verify(finished) if verify is not None and group[0].kind != PUBLISHED else None
    problems = list(checked.problems) if checked is not None else []
    seeds = sorted({record.seed for record in finished})
    trainings = group_by_training(finished)
    first = representative_record(group)
    spread = variance_components([[job.metrics[job.metric] for job in jobs] for jobs in trainings.values()] or [[0.0]])
    interval = _interval_fields(finished, significance)
    return LeaderboardRow(
        run_id=first.group_id,
        task=first.task,
        dataset=first.dataset,
        data_digest=first.data_digest,
        split=first.split,
        protocol=first.protocol,
        optimistic=_is_optimistic(first),
        kind=first.kind,
        flags=sorted({flag for record in group for flag in record.flags} | ({ALTERED} if problems else set())),
        backbone=first.backbone,
        weights=first.backbone_weights,
        random_weights=first.backbone_random,
        features=first.features,
        head=first.head,
        settings=head_settings(first),
        kernel=_common_kernel({record.kernel for record in finished}),
        radius=_median_radius([record.radius for record in finished]),
        seeds=seeds,
        seeds_missing=_missing_seeds(group, trainings),
        trainings=sorted(training for training in trainings if training is not None),
        trainings_missing=_missing_trainings(group, trainings),
        metric=first.metric,
        value=mean_score(finished),
        std=spread.total,
        std_trainings=spread.trainings,
        std_seeds=spread.seeds,
        refit=_is_refit(first),
        **interval,
        rare_classes=_rare_classes(finished, significance),
        unsmoothed=mean_over_seeds(finished, lambda record: record.unsmoothed.get(record.metric)),
        metrics=mean_metrics(finished),
        undefined=sorted({name for record in finished for name in record.undefined}),
        coverage=mean_over_seeds(finished, lambda record: record.coverage),
        units=max(record.units for record in group),
        unit=first.unit,
        parameters=first.parameters,
        source=first.config.get("source"),
        note=first.config.get("note"),
        verified=None if checked is None else checked.verified,
        problems=problems,
        code=shared_code(finished),
    )


def _missing_trainings(group: list[Record], trainings: Mapping[int | None, list[Record]]) -> list[int]:
    """Return the expected trainings of the backbone without a finished job."""
    return sorted({training for record in group for training in record.expected_trainings} - trainings.keys())


def _missing_seeds(group: list[Record], trainings: Mapping[int | None, list[Record]]) -> list[int]:
    """Return the expected seeds that are not finished on every training of the backbone.

    Trainings that have no finished job at all are ignored here. If no job is finished, all expected seeds are missing.
    """
    expected = {seed for record in group for seed in (*record.expected_seeds, record.seed)}
    unfinished = {seed for jobs in trainings.values() for seed in expected - {job.seed for job in jobs}}
    return sorted(unfinished if trainings else expected)


def _is_refit(record: Record) -> bool | None:
    """Whether the model was fitted again on all training videos; None if the record has no held-out protocol."""
    protocol = record.config.get("protocol")
    if record.protocol == PUBLISHED or record.kind == "published" or not isinstance(protocol, Mapping):
        return None
    return bool(protocol.get("refit"))


def _interval_fields(finished: list[Record], significance: SignificanceProvider | None) -> dict[str, Any]:
    """Return the fields of a row that describe its interval."""
    if significance is not None and finished and finished[0].kind != "published":
        interval = significance.interval(finished)
        if interval:
            return {
                "ci_low": interval.low,
                "ci_high": interval.high,
                "ci_method": INTERVAL_METHOD,
                "corrected": interval.corrected,
                "few_units": interval.few_units,
            }
    low, high = (
        mean_over_seeds(finished, lambda record: record.ci_low),
        mean_over_seeds(finished, lambda record: record.ci_high),
    )
    return {"ci_low": low, "ci_high": high, "ci_method": None if low is None or high is None else "records"}


def _rare_classes(finished: list[Record], significance: SignificanceProvider | None) -> dict[str, int]:
    if significance is None or not finished or finished[0].kind == "published":
        return {}
    return significance.rare_classes(finished)


def _is_optimistic(record: Record) -> bool:
    """Whether the result was selected on the split it reports; a published result on a test split was not."""
    return record.protocol == PUBLISHED and not (record.kind == "published" and record.split == "test")


def _common_kernel(kernels: set[str]) -> str | None:
    return "mixed" if len(kernels) > 1 else next(iter(kernels), None)


def _median_radius(radii: list[int]) -> int | float | None:
    if not radii:
        return None
    middle = statistics.median(radii)
    return int(middle) if middle == int(middle) else float(middle)
