"""Records become ranked rows: a pure function of the records, in whatever order they come."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from harness.leaderboard.distinctions import distinctions, head_settings
from harness.records import Record, to_json
from harness.tasks import TASKS

TASK_ORDER = {name: i for i, name in enumerate(TASKS)}
Row = dict[str, Any]


def rows(records: Iterable[Record], task: str | None = None) -> list[Row]:
    """One row for each configuration (`run_id` is its group id), boards one after another, best first.

    A board is a task, a data set (by digest) and a split; the protocol is a column. Within a board runs and
    baselines are ranked by value, equal values by run id; published figures and rows without a finished seed follow
    with rank None.
    `value` is the mean over the finished `seeds`, `std` their sample standard deviation (None for one seed),
    `unsmoothed` and `metrics` are means likewise; `seeds_missing` are those some record of the group expects.
    `ci_low`/`ci_high` are means of the seeds' intervals over videos (None unless each has one); `tied_with_best` is
    None as long as no paired test was made. Seeds may have chosen different smoothing: then `kernel` is "mixed"
    when kernels differ, and `radius` is the median.
    `settings` are those of the head; `distinction` is what the row has different from others of its board that
    agree in backbone, features and head, in words; [] when there are none.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in _one_for_each_job(records):
        if record.status != "pruned" and record.kind != "trial" and task in (None, record.task):
            groups[record.group_id].append(record)
    boards: dict[tuple, list[Row]] = defaultdict(list)
    for group in groups.values():
        group.sort(key=lambda record: (record.seed, record.job_id))
        row = _row(group)
        boards[board(row)].append(row)
    for listed in boards.values():
        firsts = [_first(groups[row["run_id"]]) for row in listed]
        for row, words in zip(listed, distinctions([look(row) for row in listed], firsts)):
            row["distinction"] = words
    return [row for key in sorted(boards, key=lambda key: _board_order(key, boards[key]))
            for row in _ranked(boards[key])]


def board(row: Row) -> tuple[str, str, str]:
    """The key of a row's board: rows that share it are scored on the same labels."""
    return row["task"], row["data_digest"] or row["dataset"], row["split"]


def look(row: Row) -> tuple:
    """What a board shows of a row's configuration before any settings are named."""
    return tuple(row[name] for name in ("backbone", "random_weights", "features", "head", "protocol", "kind"))


def _board_order(key: tuple, board_rows: list[Row]) -> tuple:
    task, data, split = key
    return TASK_ORDER.get(task, len(TASK_ORDER)), task, min(row["dataset"] for row in board_rows), data, split


def _one_for_each_job(records: Iterable[Record]) -> list[Record]:
    """A finished record before any other; between equals the same one whatever the order."""
    jobs: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        jobs[record.job_id].append(record)
    return [min(same, key=lambda record: (record.status != "finished", to_json(record))) if len(same) > 1 else same[0]
            for same in jobs.values()]


def _ranked(board_rows: list[Row]) -> list[Row]:
    def order(row: Row) -> tuple:
        value = row["value"]
        return value is None, row["kind"] == "published", 0.0 if value is None else -value, row["run_id"]

    ordered, rank = sorted(board_rows, key=order), 0
    for row in ordered:
        if row["value"] is not None and row["kind"] != "published":
            rank += 1
            row["rank"] = rank
    return ordered


def _row(group: list[Record]) -> Row:
    """The row of one configuration; `group` is in order of seeds."""
    done = [record for record in group if record.status == "finished"]
    seeds = [record.seed for record in done]
    first = _first(group)
    values = [record.metrics[record.metric] for record in done]
    return {
        "rank": None,
        "run_id": first.group_id,
        "task": first.task,
        "dataset": first.dataset,
        "data_digest": first.data_digest,
        "split": first.split,
        "protocol": first.protocol,
        "kind": first.kind,
        "backbone": first.backbone,
        "weights": first.backbone_weights,
        "random_weights": first.backbone_random,
        "features": first.features,
        "head": first.head,
        "settings": head_settings(first),
        "distinction": [],
        "kernel": _agreed({record.kernel for record in done}),
        "radius": _median([record.radius for record in done]),
        "seeds": seeds,
        "seeds_missing": sorted({s for record in group for s in (*record.expected_seeds, record.seed)} - set(seeds)),
        "metric": first.metric,
        "value": _mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "ci_low": _mean_of(done, lambda record: record.ci_low),
        "ci_high": _mean_of(done, lambda record: record.ci_high),
        "tied_with_best": None,
        "unsmoothed": _mean_of(done, lambda record: record.unsmoothed.get(record.metric)),
        "metrics": _means(done),
        "undefined": sorted({name for record in done for name in record.undefined}),
        "coverage": _mean_of(done, lambda record: record.coverage),
        "units": max(record.units for record in group),
        "unit": first.unit,
        "parameters": first.parameters,
    }


def _first(group: list[Record]) -> Record:
    """The record that speaks for its configuration: the first finished one, or else the first."""
    return next((record for record in group if record.status == "finished"), group[0])


def _agreed(kernels: set[str]) -> str | None:
    return "mixed" if len(kernels) > 1 else next(iter(kernels), None)


def _median(radii: list[int]) -> int | float | None:
    if not radii:
        return None
    middle = statistics.median(radii)
    return int(middle) if middle == int(middle) else float(middle)


def _means(done: list[Record]) -> dict[str, float]:
    """Mean of each metric that every seed has: a mean over fewer seeds would not say so."""
    names = set.intersection(*(set(record.metrics) for record in done)) if done else set()
    return {name: _mean([record.metrics[name] for record in done]) for name in sorted(names)}


def _mean_of(done: list[Record], pick: Callable[[Record], float | None]) -> float | None:
    picked = [pick(record) for record in done]
    return None if None in picked else _mean(picked)


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
