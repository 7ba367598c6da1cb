"""Jobs of each configuration, and means over its finished seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from harness.leaderboard.repetitions import repetition_order
from harness.tracking.record_json import to_json
from harness.tracking.records import Record


def group_by_configuration(records: Iterable[Record], task: str | None = None) -> list[list[Record]]:
    """Group records by configuration, leaving out trials of searches and pruned jobs.

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


def representative_record(group: list[Record]) -> Record:
    """Return the first finished record, or the first one if none is finished."""
    return next((record for record in group if record.status == "finished"), group[0])


def mean_metrics(finished: list[Record]) -> dict[str, float]:
    """Average each metric that every seed has; means over different seeds would not be comparable."""
    names = set.intersection(*(set(record.metrics) for record in finished)) if finished else set()
    return {name: _mean([record.metrics[name] for record in finished]) for name in sorted(names)}


def mean_score(finished: Sequence[Record]) -> float | None:
    """Return the mean of the task's metric over finished seeds, or None if there are none."""
    return _mean([record.metrics[record.metric] for record in finished]) if finished else None


def mean_over_seeds(finished: list[Record], get_value: Callable[[Record], float | None]) -> float | None:
    """Return the mean of a value over finished seeds; None if no seed is finished or one lacks the value."""
    values = [value for record in finished if (value := get_value(record)) is not None]
    return _mean(values) if values and len(values) == len(finished) else None


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _deduplicate(records: Iterable[Record]) -> list[Record]:
    """Keep one record for each job, a finished one if there is one; the order of the records does not matter."""
    jobs: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        jobs[record.job_id, record.data_digest].append(record)
    return [
        min(same, key=lambda record: (record.status != "finished", to_json(record))) if len(same) > 1 else same[0]
        for same in jobs.values()
    ]
