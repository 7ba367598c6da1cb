"""Two runs beside each other on the same units: what differs, how sure that is, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from harness.jobs.job_statistics import JobStatistics, reorder
from harness.leaderboard.comparison_result import Comparison, InfluentialUnit, MetricComparison
from harness.leaderboard.rows import leaderboard_rows
from harness.metrics.paired_tests import all_paired_tests, holm_bonferroni, jackknife_influence
from harness.metrics.pooled import PooledStatistics
from harness.metrics.unit_statistics import SufficientStatistics, score
from harness.tracking.records import FLAGS, Record
from harness.utils.errors import InputError
from harness.utils.hashing import flatten


def pair_seeds(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    if first[0].job_id == second[0].job_id and len(first) == len(second):
        raise InputError(
            f"{first[0].group_id} would be compared with itself; name two runs, or two of its seeds as "
            f"{first[0].group_id}-s0 {first[0].group_id}-s1"
        )
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    other = {record.seed: record for record in second}
    pairs = [(record, other[record.seed]) for record in first if record.seed in other]
    if not pairs:
        has = [f"{side[0].group_id} has {format_seeds([record.seed for record in side])}" for side in (first, second)]
        raise InputError(
            f"runs are compared seed by seed, and no seed is in both: {', '.join(has)}; "
            "run one of them with the other's --set seeds=..."
        )
    return pairs


def check_comparable(pairs: Sequence[tuple[Record, Record]]) -> None:
    """InputError that names everything in which two runs are not scored on the same labels."""
    for one, other in pairs:
        unlike = [
            f"  {what}: {first} and {second}"
            for what, (first, second) in _comparability_criteria(one, other)
            if first != second
        ]
        if unlike:
            raise InputError(
                f"{one.group_id} and {other.group_id} are not scored on the same labels, so that their "
                "difference would say nothing of the runs:\n" + "\n".join(unlike)
            )


def _comparability_criteria(one: Record, other: Record) -> Iterator[tuple[str, tuple[str, str]]]:
    """What must agree, in words, of both; coverage only of the same task, data and split."""
    yield "task", (one.task, other.task)
    yield "data", (f"{one.dataset} [{one.data_digest[:6]}]", f"{other.dataset} [{other.data_digest[:6]}]")
    yield "split", (one.split, other.split)
    yield "rows without a crop", (one.config.get("missing", "dropped"), other.config.get("missing", "dropped"))
    if (one.task, one.data_digest, one.split) == (other.task, other.data_digest, other.split):
        yield "coverage", (_format_coverage(one), _format_coverage(other))


def _format_coverage(record: Record) -> str:
    return f"{record.scored} of {record.annotated} labelled rows scored"


def align_units(units: Sequence[str], kept: JobStatistics, record: Record) -> SufficientStatistics:
    names, found = kept
    if sorted(names) != sorted(units):
        apart = sorted(set(names) ^ set(units))
        raise InputError(
            f"job {record.job_id} is scored on other {record.unit}s than the one beside it: "
            f"{', '.join(apart[:3])}{' and others' if len(apart) > 3 else ''} in one of them only"
        )
    return reorder(names, found, units)


def check_same_rows(
    units: Sequence[str], sides: Sequence[Sequence[SufficientStatistics]], pairs: Sequence[tuple[Record, Record]]
) -> None:
    counts = [[one.rows() for one in side] for side in sides]
    for (one, other), first, second in zip(pairs, *counts):
        unlike = np.flatnonzero((first != second).any(axis=0))
        if len(unlike):
            raise InputError(
                f"{one.group_id} and {other.group_id} are not scored on the same rows of {one.unit} "
                f"{units[unlike[0]]}; one of them was scored on other crops or labels"
            )


def format_seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


MAX_UNITS_SHOWN = 5
"""Units shown for each side."""
UNIT_SCORES = {"expr": "accuracy", "va": "P_VA", "au": "F1, all AUs together"}
"""What a unit is scored by on its own: a mean over classes says little of a video that shows one."""


def compare_records(
    first: Sequence[Record], second: Sequence[Record], statistics: Callable[[Record], JobStatistics]
) -> Comparison:
    """Records of the finished seeds of each run, see `harness.leaderboard.runs.find_records`; statistics: see
    `SignificanceCache.statistics`.

    Seeds that both have are paired; a single seed of each is compared whatever its number. InputError for the same
    run twice, for no seed in common, and for runs of different task, data, split, coverage or treatment of missing
    crops, naming each.
    """
    pairs = pair_seeds(first, second)
    check_comparable(pairs)
    kept = [(statistics(one), statistics(other)) for one, other in pairs]
    units = kept[0][0][0]
    sides = [[align_units(units, one[side], pair[side]) for one, pair in zip(kept, pairs)] for side in (0, 1)]
    check_same_rows(units, sides, pairs)
    metric, parts = _compare_metrics(pairs[0][0].metric, *sides)
    moved = _influential_units(units, pairs[0][0], *sides)
    own_rows = [leaderboard_rows([pair[side] for pair in pairs])[0] for side in (0, 1)]
    return Comparison(
        first=own_rows[0],
        second=own_rows[1],
        seeds=tuple((one.seed, other.seed) for one, other in pairs),
        units=len(units),
        metric=metric,
        parts=parts,
        for_first=tuple(one for one in moved if one.influence > 0)[:MAX_UNITS_SHOWN],
        for_second=tuple(one for one in reversed(moved) if one.influence < 0)[:MAX_UNITS_SHOWN],
        own=UNIT_SCORES.get(pairs[0][0].task),
        differing=_differing_settings(*pairs[0]),
        notes=tuple(_notes(first, second, pairs)),
    )


def _compare_metrics(
    metric: str, first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics]
) -> tuple[MetricComparison, tuple[MetricComparison, ...]]:
    found = all_paired_tests(first, second)
    scores = [[score(one) for one in side] for side in (first, second)]
    means = [{name: float(np.mean([one.metrics[name] for one in side])) for name in found} for side in scores]
    undefined = {name for side in scores for one in side for name in one.undefined}
    others = [name for name in found if name != metric]
    adjusted = dict(zip(others, holm_bonferroni([found[name].p for name in others]))) | {metric: found[metric].p}
    parts = {
        name: MetricComparison(name, means[0][name], means[1][name], one, adjusted[name], name in undefined)
        for name, one in found.items()
    }
    return parts[metric], tuple(parts[name] for name in others)


def _influential_units(
    units: Sequence[str], record: Record, first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics]
) -> list[InfluentialUnit]:
    """All units, those that speak most for the first run first."""
    moves = jackknife_influence(first, second, record.metric)
    own = [_score_by_unit(side) for side in (first, second)]
    order = np.argsort(-moves, kind="stable")
    return [
        InfluentialUnit(units[i], float(moves[i]), *(None if np.isnan(side[i]) else float(side[i]) for side in own))
        for i in order
    ]


def _score_by_unit(side: Sequence[SufficientStatistics]) -> np.ndarray:
    """float64 [V]: the score of each unit by itself, mean over seeds; NaN where undefined and for a multi-task run."""
    pooled = PooledStatistics(side, many_in_groups=False)
    values = np.full(pooled.has_rows.shape, np.nan)
    if pooled.task == "expr":
        values[pooled.has_rows] = pooled.metrics(pooled.rows)["accuracy"].mean(axis=0)
    elif pooled.task == "va":
        scores = [pooled.metrics(pooled.rows)[name] for name in ("CCC_V", "CCC_A")]
        known = np.all([one != 0 for one in scores], axis=(0, 1))  # exactly 0 only where undefined
        values[pooled.has_rows] = np.where(known, np.mean(scores, axis=(0, 1)), np.nan)
    elif pooled.task == "au":
        right, labelled, predicted = (part.sum(axis=1) for part in np.split(pooled.rows, 3, axis=1))
        counted = labelled + predicted
        share = np.divide(2 * right, counted, out=np.full(right.shape, np.nan), where=counted > 0)
        values[pooled.has_rows] = share.mean(axis=0)
    return values


def _differing_settings(one: Record, other: Record) -> dict[str, tuple[Any, Any]]:
    """Settings by dotted name that differ, those that only identify the same thing left out."""
    sides = [
        {
            "backbone": record.backbone,
            "weights": record.backbone_weights,
            **{
                name: value
                for name, value in flatten(record.config)
                if name not in ("entry", "data", "kind", "revision")
            },
        }
        for record in (one, other)
    ]
    return {
        name: (sides[0].get(name), sides[1].get(name))
        for name in {**sides[0], **sides[1]}
        if sides[0].get(name) != sides[1].get(name)
    }


def _notes(first: Sequence[Record], second: Sequence[Record], pairs: Sequence[tuple[Record, Record]]) -> Iterator[str]:
    for name, side in (("A", first), ("B", second)):
        if side[0].protocol == "published":
            yield f"{name} was chosen on the reported split itself: its score is optimistic"
        yield from (f"{name}: {FLAGS[flag]}" for flag in side[0].flags if flag in FLAGS)
        left = sorted({record.seed for record in side} - {pair[0 if name == "A" else 1].seed for pair in pairs})
        if left:
            yield f"{name} also has {format_seeds(left)}, which the other lacks"
    if len(pairs) == 1:
        yield "one seed of each: the p-value is about these two trainings, not about the recipes"
