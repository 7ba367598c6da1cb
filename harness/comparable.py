"""Whether two runs can be compared: only what is scored on the same labels, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.evidence import Kept, ordered
from harness.metrics.unit_statistics import UnitStatistics
from harness.tracking.records import Record
from harness.utils.errors import InputError


def paired_seeds(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    if first[0].job_id == second[0].job_id and len(first) == len(second):
        raise InputError(f"{first[0].group_id} would be compared with itself; name two runs, or two of its seeds as "
                         f"{first[0].group_id}-s0 {first[0].group_id}-s1")
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    other = {record.seed: record for record in second}
    pairs = [(record, other[record.seed]) for record in first if record.seed in other]
    if not pairs:
        has = [f"{side[0].group_id} has {seeds_of([record.seed for record in side])}" for side in (first, second)]
        raise InputError(f"runs are compared seed by seed, and no seed is in both: {', '.join(has)}; "
                         "run one of them with the other's --set seeds=...")
    return pairs


def refuse_unlike(pairs: Sequence[tuple[Record, Record]]) -> None:
    """InputError that names everything in which two runs are not scored on the same labels."""
    for one, other in pairs:
        unlike = [f"  {what}: {said[0]} and {said[1]}" for what, said in _looks(one, other) if said[0] != said[1]]
        if unlike:
            raise InputError(f"{one.group_id} and {other.group_id} are not scored on the same labels, so that their "
                             "difference would say nothing of the runs:\n" + "\n".join(unlike))


def _looks(one: Record, other: Record) -> Iterator[tuple[str, tuple[str, str]]]:
    """What must agree, in words, of both; coverage only of the same task, data and split."""
    yield "task", (one.task, other.task)
    yield "data", (f"{one.dataset} [{one.data_digest[:6]}]", f"{other.dataset} [{other.data_digest[:6]}]")
    yield "split", (one.split, other.split)
    yield "rows without a crop", (one.config.get("missing", "dropped"), other.config.get("missing", "dropped"))
    if (one.task, one.data_digest, one.split) == (other.task, other.data_digest, other.split):
        yield "coverage", (_coverage(one), _coverage(other))


def _coverage(record: Record) -> str:
    return f"{record.scored} of {record.annotated} labelled rows scored"


def in_order(units: Sequence[str], kept: Kept, record: Record) -> UnitStatistics:
    names, found = kept
    if sorted(names) != sorted(units):
        apart = sorted(set(names) ^ set(units))
        raise InputError(f"job {record.job_id} is scored on other {record.unit}s than the one beside it: "
                         f"{', '.join(apart[:3])}{' and others' if len(apart) > 3 else ''} in one of them only")
    return ordered(names, found, units)


def refuse_other_rows(units: Sequence[str], sides: Sequence[Sequence[UnitStatistics]],
                      pairs: Sequence[tuple[Record, Record]]) -> None:
    counts = [[one.rows() for one in side] for side in sides]
    for (one, other), first, second in zip(pairs, *counts):
        unlike = np.flatnonzero((first != second).any(axis=0))
        if len(unlike):
            raise InputError(f"{one.group_id} and {other.group_id} are not scored on the same rows of {one.unit} "
                             f"{units[unlike[0]]}; one of them was scored on other crops or labels")


def seeds_of(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
