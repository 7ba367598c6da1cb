"""Records become ranked rows: a pure function of the records and their evidence, in whatever order they come."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from harness.leaderboard.differing_settings import distinguishing_settings, head_settings
from harness.leaderboard.ranking import rank_rows
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.metrics.tasks import TASKS
from harness.tracking.records import Record, to_json

if TYPE_CHECKING:
    from harness.leaderboard.significance import PairedDifference

TASK_ORDER = {name: i for i, name in enumerate(TASKS)}
PUBLISHED = "published"


class Evidence(Protocol):
    """What rows show of jobs beyond their records; see `harness.leaderboard.significance.SignificanceCache`."""

    method: str
    """Of its intervals."""

    def interval(self, jobs: Sequence[Record]) -> tuple[float, float] | None: ...

    def difference(
        self, first: Sequence[Record], second: Sequence[Record], interval: bool = True
    ) -> PairedDifference | None: ...


def leaderboard_rows(
    records: Iterable[Record], task: str | None = None, evidence: Evidence | None = None
) -> list[LeaderboardRow]:
    """One row for each configuration (`run_id` is its group id), boards one after another, best first.

    A board is a task, a data set (by digest), a split and a protocol; a row is `optimistic` when it was chosen on the
    split it reports. Within a board runs and baselines are ranked by value, equal values by run id; rows that use
    labels of the reported split, published figures and rows without a finished seed follow with rank None.
    `value` is the mean over the finished `seeds`, `std` their sample standard deviation (None for one seed),
    `unsmoothed` and `metrics` are means likewise; `seeds_missing` are those some record of the group expects.
    `ci_low`/`ci_high`: 95 % interval from `evidence`, by its method `ci_method`; where it has none the means of the
    seeds' own, `ci_method` then "records" (all None unless each has one).
    `p_value`: of the paired test against the board's best row, Holm-adjusted for the board; `tied_with_best`
    when it is above 0.05 (the best row is tied with itself; None where no test could be made); `detectable`: the
    smallest difference to the best that such a pair shows with 80 % power. Tied rows share rank 1, the others keep
    their place, which equal values share.
    Seeds may have chosen different smoothing: then `kernel` is "mixed" when kernels differ, and `radius` is the median.
    `settings` are those of the head; `distinction` is what the row has different from others of its board that
    agree in backbone, features and head, in words; [] when there are none. `source`, `note`: of a
    published figure.
    """
    groups = group_by_configuration(records, task)
    boards: dict[tuple, list[LeaderboardRow]] = defaultdict(list)
    jobs: dict[tuple, list[Record]] = {}
    for group in groups:
        row = _make_row(group, evidence)
        boards[board_key(row)].append(row)
        jobs[row_key(row)] = group
    for listed in boards.values():
        firsts = [_representative_record(jobs[row_key(row)]) for row in listed]
        for row, words in zip(listed, distinguishing_settings([display_key(row) for row in listed], firsts)):
            row.distinction = words

    def compare_to(row: LeaderboardRow, other: LeaderboardRow) -> PairedDifference | None:
        pair = (finished_records(jobs[row_key(one)]) for one in (row, other))
        return evidence.difference(*pair, interval=False) if evidence else None

    return [
        row
        for listed in sorted(boards.values(), key=_board_sort_key)
        for row in rank_rows(listed, compare_to if evidence is not None else None)
    ]


def group_by_configuration(records: Iterable[Record], task: str | None = None) -> list[list[Record]]:
    """The jobs of each configuration, one record a job, in order of seeds; trials and pruned jobs left out."""
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for record in _deduplicate(records):
        if record.status != "pruned" and record.kind != "trial" and task in (None, record.task):
            groups[record.group_id, record.data_digest].append(record)
    for group in groups.values():
        group.sort(key=lambda record: (record.seed, record.job_id))
    return list(groups.values())


def finished_records(group: Iterable[Record]) -> list[Record]:
    return [record for record in group if record.status == "finished"]


def board_key(row: BoardRow) -> tuple[str, str, str, str]:
    """The key of a row's board: rows that share it are scored on the same labels and chosen by the same rules."""
    return row.task, row.data_digest or row.dataset, row.split, row.protocol


def row_key(row: BoardRow) -> tuple[str, str]:
    """The key of a row: a published figure stands on several boards."""
    return row.run_id, row.data_digest


def display_key(row: BoardRow) -> tuple:
    """What a board shows of a row's configuration before any settings are named."""
    shown = tuple(getattr(row, name) for name in ("backbone", "random_weights", "features", "head", "protocol", "kind"))
    return (*shown, row.kernel, row.radius) if row.kind == "published" else shown


def _board_sort_key(board_rows: list[LeaderboardRow]) -> tuple:
    """Tasks in their usual order, own runs before others' figures alone, held-out before published."""
    task, data, split, protocol = board_key(board_rows[0])
    alone = all(row.kind == "published" for row in board_rows)
    return (
        TASK_ORDER.get(task, len(TASK_ORDER)),
        task,
        alone,
        min(row.dataset for row in board_rows),
        data,
        split,
        protocol == PUBLISHED,
        protocol,
    )


def _deduplicate(records: Iterable[Record]) -> list[Record]:
    """A finished record before any other; between equals the same one whatever the order."""
    jobs: dict[tuple, list[Record]] = defaultdict(list)
    for record in records:
        jobs[record.job_id, record.data_digest].append(record)
    return [
        min(same, key=lambda record: (record.status != "finished", to_json(record))) if len(same) > 1 else same[0]
        for same in jobs.values()
    ]


def _make_row(group: list[Record], evidence: Evidence | None) -> LeaderboardRow:
    """The row of one configuration; `group` is in order of seeds."""
    done = finished_records(group)
    seeds = [record.seed for record in done]
    first = _representative_record(group)
    values = [record.metrics[record.metric] for record in done]
    low, high, method = _select_interval(done, evidence)
    return LeaderboardRow(
        run_id=first.group_id,
        task=first.task,
        dataset=first.dataset,
        data_digest=first.data_digest,
        split=first.split,
        protocol=first.protocol,
        optimistic=_is_optimistic(first),
        kind=first.kind,
        flags=sorted({flag for record in group for flag in record.flags}),
        backbone=first.backbone,
        weights=first.backbone_weights,
        random_weights=first.backbone_random,
        features=first.features,
        head=first.head,
        settings=head_settings(first),
        kernel=_common_kernel({record.kernel for record in done}),
        radius=_median_radius([record.radius for record in done]),
        seeds=seeds,
        seeds_missing=sorted({s for record in group for s in (*record.expected_seeds, record.seed)} - set(seeds)),
        metric=first.metric,
        value=mean_score(done),
        std=statistics.stdev(values) if len(values) > 1 else None,
        ci_low=low,
        ci_high=high,
        ci_method=method,
        unsmoothed=_mean_over_seeds(done, lambda record: record.unsmoothed.get(record.metric)),
        metrics=_mean_metrics(done),
        undefined=sorted({name for record in done for name in record.undefined}),
        coverage=_mean_over_seeds(done, lambda record: record.coverage),
        units=max(record.units for record in group),
        unit=first.unit,
        parameters=first.parameters,
        source=first.config.get("source"),
        note=first.config.get("note"),
    )


def _select_interval(done: list[Record], evidence: Evidence | None) -> tuple[float | None, float | None, str | None]:
    """Low, high, method."""
    found = evidence.interval(done) if evidence is not None and done and done[0].kind != "published" else None
    if found:
        return *found, evidence.method
    low, high = (
        _mean_over_seeds(done, lambda record: record.ci_low),
        _mean_over_seeds(done, lambda record: record.ci_high),
    )
    return low, high, None if low is None or high is None else "records"


def _is_optimistic(record: Record) -> bool:
    """Whether it was chosen on the split it reports. Nobody can choose on a challenge's test split."""
    return record.protocol == PUBLISHED and not (record.kind == "published" and record.split == "test")


def _representative_record(group: list[Record]) -> Record:
    """The record that speaks for its configuration: the first finished one, or else the first."""
    return next((record for record in group if record.status == "finished"), group[0])


def _common_kernel(kernels: set[str]) -> str | None:
    return "mixed" if len(kernels) > 1 else next(iter(kernels), None)


def _median_radius(radii: list[int]) -> int | float | None:
    if not radii:
        return None
    middle = statistics.median(radii)
    return int(middle) if middle == int(middle) else float(middle)


def _mean_metrics(done: list[Record]) -> dict[str, float]:
    """Mean of each metric that every seed has: a mean over fewer seeds would not say so."""
    names = set.intersection(*(set(record.metrics) for record in done)) if done else set()
    return {name: _mean([record.metrics[name] for record in done]) for name in sorted(names)}


def mean_score(done: Sequence[Record]) -> float | None:
    """The mean of the metric over finished seeds; None without any."""
    return _mean([record.metrics[record.metric] for record in done])


def _mean_over_seeds(done: list[Record], pick: Callable[[Record], float | None]) -> float | None:
    picked = [pick(record) for record in done]
    return None if None in picked else _mean(picked)


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
