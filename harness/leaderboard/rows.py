"""Ranked leaderboard rows from records: a pure function of the records and their statistics, in any order."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.leaderboard.code_differences import flag_other_code, shared_code
from harness.leaderboard.differing_settings import distinguishing_settings, head_settings
from harness.leaderboard.ranking import BoardTests, rank_rows
from harness.leaderboard.repetitions import group_by_training, repetition_order
from harness.leaderboard.row_types import INTERVAL_METHOD, BoardRow, LeaderboardRow
from harness.metrics.tasks import TASKS
from harness.metrics.variance_components import variance_components
from harness.tracking.record_json import to_json
from harness.tracking.records import Record

if TYPE_CHECKING:
    from harness.leaderboard.significance_results import BoardComparison, PairedDifference, ScoreInterval

TASK_ORDER = {name: i for i, name in enumerate(TASKS)}
PUBLISHED = "published"


ALTERED = "altered"
"""Flag of a row with an altered file, or with a score that its statistics do not give."""


@dataclass(frozen=True)
class Verification:
    """Result of verifying a run.

    Attributes
    ----------
    verified : bool
        Whether all jobs have hashes, no file was altered and each score follows from its statistics. False also if this
        cannot be verified: an earlier version ran a job, or its files are not in this store.
    problems : tuple of str
        What was altered, as a sentence for each job with the file and what to do.
    """

    verified: bool
    problems: tuple[str, ...] = ()


VerifyJobs = Callable[[Sequence[Record]], Verification]
"""Verifies the finished jobs of a configuration; see `harness.leaderboard.verification.RunVerifier`."""


class SignificanceProvider(Protocol):
    """Source of confidence intervals and paired tests; see `harness.leaderboard.significance.SignificanceCache`."""

    def interval(self, jobs: Sequence[Record]) -> ScoreInterval | None:
        """Return the 95% confidence interval of the mean score of the jobs, or None."""
        ...

    def difference(self, first: Sequence[Record], second: Sequence[Record]) -> PairedDifference | None:
        """Return the paired difference of two configurations, or None if they cannot be tested."""
        ...

    def best_comparison(self, groups: Sequence[Sequence[Record]]) -> BoardComparison | None:
        """Return the comparison of configurations with the best of them, or None if they cannot be tested."""
        ...


def leaderboard_rows(
    records: Iterable[Record],
    task: str | None = None,
    significance: SignificanceProvider | None = None,
    verify: VerifyJobs | None = None,
) -> list[LeaderboardRow]:
    """Build and rank one row for each configuration.

    A board is defined by task, dataset (by digest), split and protocol. Within a board, runs and baselines are ranked
    by value, equal values by run id. Rows that use labels of the reported split or whose files were altered, published
    figures and rows without a finished seed follow, with rank None. Rows that do not differ significantly from the best
    are marked by `tied_with_best`.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests. Where it has no interval, the mean of the seeds' intervals is shown with the
        method `records`, if every seed has one.
    verify : callable, optional
        Verifies the finished jobs of a configuration. Rows with a problem are flagged `altered` and not ranked.

    Returns
    -------
    list of LeaderboardRow
        Boards one after another, best row first; `run_id` is the group id of the configuration.
    """
    groups = group_by_configuration(records, task)
    boards: dict[tuple[str, ...], list[LeaderboardRow]] = defaultdict(list)
    jobs: dict[tuple[str, str], list[Record]] = {}
    for group in groups:
        row = _make_row(group, significance, verify)
        boards[board_key(row)].append(row)
        jobs[row_key(row)] = group
    for board_rows in boards.values():
        representatives = [_representative_record(jobs[row_key(row)]) for row in board_rows]
        distinctions = distinguishing_settings([display_key(row) for row in board_rows], representatives)
        for row, distinction in zip(board_rows, distinctions):
            row.distinction = distinction
        flag_other_code(board_rows)

    tests = None if significance is None else _board_tests(significance, jobs)
    return [row for board_rows in sorted(boards.values(), key=_board_sort_key) for row in rank_rows(board_rows, tests)]


def _board_tests(significance: SignificanceProvider, jobs: Mapping[tuple[str, str], list[Record]]) -> BoardTests:
    """Build the tests of rows from those of their finished jobs."""

    def finished(row: LeaderboardRow) -> list[Record]:
        return finished_records(jobs[row_key(row)])

    return BoardTests(
        pair=lambda row, best: significance.difference(finished(row), finished(best)),
        board=lambda rows: significance.best_comparison([finished(row) for row in rows]),
    )


def group_by_configuration(records: Iterable[Record], task: str | None = None) -> list[list[Record]]:
    """Group records by configuration, without trials of searches and pruned jobs.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    task : str, optional
        Default: all tasks.

    Returns
    -------
    list of list of Record
        The jobs of each configuration in the order of trainings of the backbone and seeds, one record for each job.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in _deduplicate(records):
        if record.status != "pruned" and record.kind != "trial" and task in (None, record.task):
            groups[record.group_id, record.data_digest].append(record)
    for group in groups.values():
        group.sort(key=repetition_order)
    return list(groups.values())


def finished_records(group: Iterable[Record]) -> list[Record]:
    """Select the records of finished jobs."""
    return [record for record in group if record.status == "finished"]


def board_key(row: BoardRow) -> tuple[str, str, str, str]:
    """Return the key of a row's board; rows that share it have the same labels and selection protocol."""
    return row.task, row.data_digest or row.dataset, row.split, row.protocol


def row_key(row: BoardRow) -> tuple[str, str]:
    """Return the key of a row; a published figure can be on several boards."""
    return row.run_id, row.data_digest


def display_key(row: BoardRow) -> tuple[object, ...]:
    """Return what a board shows of a configuration before any settings are added."""
    shown = tuple(getattr(row, name) for name in ("backbone", "random_weights", "features", "head", "protocol", "kind"))
    if row.kind == "published" and isinstance(row, LeaderboardRow):
        return (*shown, row.kernel, row.radius)
    return shown


def _board_sort_key(board_rows: list[LeaderboardRow]) -> tuple[int | str | bool, ...]:
    """Order boards by task, boards with runs before published figures alone, held-out before published protocol."""
    task, data, split, protocol = board_key(board_rows[0])
    only_published = all(row.kind == "published" for row in board_rows)
    return (
        TASK_ORDER.get(task, len(TASK_ORDER)),
        task,
        only_published,
        min(row.dataset for row in board_rows),
        data,
        split,
        protocol == PUBLISHED,
        protocol,
    )


def _deduplicate(records: Iterable[Record]) -> list[Record]:
    """Keep one record for each job: a finished one if there is one, and the same one in any order of the records."""
    jobs: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        jobs[record.job_id, record.data_digest].append(record)
    return [
        min(same, key=lambda record: (record.status != "finished", to_json(record))) if len(same) > 1 else same[0]
        for same in jobs.values()
    ]


def _make_row(
    group: list[Record], significance: SignificanceProvider | None, verify: VerifyJobs | None
) -> LeaderboardRow:
    """Build the row of one configuration from its jobs in the order of seeds."""
    finished = finished_records(group)
    checked = verify(finished) if verify is not None and group[0].kind != PUBLISHED else None
    problems = list(checked.problems) if checked is not None else []
    seeds = sorted({record.seed for record in finished})
    trainings = group_by_training(finished)
    first = _representative_record(group)
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
        unsmoothed=_mean_over_seeds(finished, lambda record: record.unsmoothed.get(record.metric)),
        metrics=_mean_metrics(finished),
        undefined=sorted({name for record in finished for name in record.undefined}),
        coverage=_mean_over_seeds(finished, lambda record: record.coverage),
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
    """Return the expected seeds that are not finished, on some finished training of the backbone."""
    expected = {seed for record in group for seed in (*record.expected_seeds, record.seed)}
    unfinished = {seed for jobs in trainings.values() for seed in expected - {job.seed for job in jobs}}
    return sorted(unfinished if trainings else expected)


def _is_refit(record: Record) -> bool | None:
    """Whether the model was fitted again on all training videos; None if the protocol has no held-out videos."""
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
        _mean_over_seeds(finished, lambda record: record.ci_low),
        _mean_over_seeds(finished, lambda record: record.ci_high),
    )
    return {"ci_low": low, "ci_high": high, "ci_method": None if low is None or high is None else "records"}


def _is_optimistic(record: Record) -> bool:
    """Whether the result was selected on the split it reports, which is impossible on a challenge's test split."""
    return record.protocol == PUBLISHED and not (record.kind == "published" and record.split == "test")


def _representative_record(group: list[Record]) -> Record:
    """Return the first finished record, or the first one if none is finished."""
    return next((record for record in group if record.status == "finished"), group[0])


def _common_kernel(kernels: set[str]) -> str | None:
    return "mixed" if len(kernels) > 1 else next(iter(kernels), None)


def _median_radius(radii: list[int]) -> int | float | None:
    if not radii:
        return None
    middle = statistics.median(radii)
    return int(middle) if middle == int(middle) else float(middle)


def _mean_metrics(finished: list[Record]) -> dict[str, float]:
    """Average each metric that every seed has; means over different seeds would not be comparable."""
    names = set.intersection(*(set(record.metrics) for record in finished)) if finished else set()
    return {name: _mean([record.metrics[name] for record in finished]) for name in sorted(names)}


def mean_score(finished: Sequence[Record]) -> float | None:
    """Return the mean of the task's metric over finished seeds, or None without any."""
    return _mean([record.metrics[record.metric] for record in finished]) if finished else None


def _mean_over_seeds(finished: list[Record], get_value: Callable[[Record], float | None]) -> float | None:
    values = [value for record in finished if (value := get_value(record)) is not None]
    return _mean(values) if values and len(values) == len(finished) else None


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
