"""Comparison of two runs on the same units: paired tests, differing settings and influential units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.jobs.job_statistics import JobStatistics, reorder
from harness.leaderboard.code_differences import differing_code
from harness.leaderboard.comparison_result import ComparedRuns, InfluentialUnit, MetricComparison
from harness.leaderboard.comparison_text import format_comparison
from harness.leaderboard.repetitions import format_repetitions, pair_seeds, training_groups, training_indices
from harness.leaderboard.rows import leaderboard_rows
from harness.metrics.multiple_tests import holm_bonferroni
from harness.metrics.paired_tests import all_paired_tests, jackknife_influence
from harness.metrics.pooled import PooledStatistics
from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking.records import FLAGS, Record
from harness.utils.errors import InputError
from harness.utils.hashing import flatten

MAX_UNITS_SHOWN = 5
"""Maximum number of influential units (videos or subjects) shown for each run."""
UNIT_SCORES = {"expr": "accuracy", "va": "P_VA", "au": "F1, all AUs together"}
"""Name of the score that is shown for a single video or subject, by task. For expressions and action units it is not
the task's metric, because a mean over all classes says little about a video in which only one class occurs."""


@dataclass(frozen=True)
class Comparison(ComparedRuns):
    """Comparison of two runs, which prints as text; see `ComparedRuns` for its attributes."""

    def __str__(self) -> str:
        return format_comparison(self)


def check_comparable(pairs: Sequence[tuple[Record, Record]]) -> None:
    """Raise InputError if two runs are not scored on the same labels; the message lists the criteria that differ."""
    for first, second in pairs:
        mismatches = [
            f"  {criterion}: {first_value} and {second_value}"
            for criterion, (first_value, second_value) in _comparability_criteria(first, second)
            if first_value != second_value
        ]
        if mismatches:
            raise InputError(
                f"{first.group_id} and {second.group_id} are not scored on the same labels, so their scores cannot be "
                "compared:\n" + "\n".join(mismatches)
            )


def _comparability_criteria(first: Record, second: Record) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each criterion that must agree, with both values; coverage only if task, data and split agree."""
    yield "task", (first.task, second.task)
    yield ("data", (f"{first.dataset} [{first.data_digest[:6]}]", f"{second.dataset} [{second.data_digest[:6]}]"))
    yield "split", (first.split, second.split)
    yield "rows without a crop", (first.config.get("missing", "dropped"), second.config.get("missing", "dropped"))
    if (first.task, first.data_digest, first.split) == (second.task, second.data_digest, second.split):
        yield "coverage", (_format_coverage(first), _format_coverage(second))


def _format_coverage(record: Record) -> str:
    return f"{record.scored} of {record.annotated} labeled rows scored"


def align_units(units: Sequence[str], job_statistics: JobStatistics, record: Record) -> SufficientStatistics:
    """Reorder the statistics of a job to a given order of units (videos or subjects).

    Parameters
    ----------
    units : sequence of str
        The required order.
    job_statistics : JobStatistics
        Names of the units, and their statistics.
    record : Record
        The job, named in the error message.

    Returns
    -------
    SufficientStatistics
        The statistics in the order of `units`.

    Raises
    ------
    InputError
        If the job was scored on other units.
    """
    names, statistics = job_statistics
    if sorted(names) != sorted(units):
        mismatches = sorted(set(names) ^ set(units))
        raise InputError(
            f"job {record.job_id} and the job it is compared with are scored on different {record.unit}s; only one of "
            f"the two has {', '.join(mismatches[:3])}{' and others' if len(mismatches) > 3 else ''}"
        )
    return reorder(names, statistics, units)


def check_same_rows(
    units: Sequence[str], sides: Sequence[Sequence[SufficientStatistics]], pairs: Sequence[tuple[Record, Record]]
) -> None:
    """Raise InputError if two runs were scored on different numbers of rows of a unit (video or subject)."""
    row_counts = [[statistics.rows() for statistics in side] for side in sides]
    for (first, second), first_counts, second_counts in zip(pairs, *row_counts):
        mismatches = np.flatnonzero((first_counts != second_counts).any(axis=0))
        if len(mismatches):
            raise InputError(
                f"{first.group_id} and {second.group_id} are not scored on the same rows of {first.unit} "
                f"{units[mismatches[0]]}; one of them was scored on other crops or labels"
            )


def compare_records(
    first: Sequence[Record],
    second: Sequence[Record],
    statistics: Callable[[Record], JobStatistics],
    problems: Sequence[Sequence[str]] = ((), ()),
) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    first, second : sequence of Record
        Finished jobs of each run; see `harness.leaderboard.runs.find_records`. Jobs are paired by seed. If both runs
        have several trainings of the backbone, jobs are paired by training and seed. If each run has only one job, the
        two are compared even if their seeds differ.
    statistics : callable
        Loads the statistics of a job; see `SignificanceCache.statistics`.
    problems : pair of sequences of str
        Problems of each run, such as altered files; see `harness.leaderboard.verification`.

    Returns
    -------
    Comparison
        Scores, paired tests, influential units and differing settings.

    Raises
    ------
    InputError
        If both runs are the same, if no jobs can be paired, or if the runs differ in task, data, split, coverage,
        treatment of missing crops, units or rows of a unit.
    """
    pairs = pair_seeds(first, second)
    check_comparable(pairs)
    job_statistics = [(statistics(first_job), statistics(second_job)) for first_job, second_job in pairs]
    units = job_statistics[0][0][0]
    sides = [
        [align_units(units, both[side], pair[side]) for both, pair in zip(job_statistics, pairs)] for side in (0, 1)
    ]
    check_same_rows(units, sides, pairs)
    metric, parts = _compare_metrics(pairs[0][0].metric, sides[0], sides[1], training_groups(pairs))
    influential = _influential_units(units, pairs[0][0], *sides)
    rows = [leaderboard_rows([pair[side] for pair in pairs])[0] for side in (0, 1)]
    return Comparison(
        first=rows[0],
        second=rows[1],
        seeds=tuple(dict.fromkeys((first_job.seed, second_job.seed) for first_job, second_job in pairs)),
        trainings=len(set(training_indices(pairs))),
        units=len(units),
        metric=metric,
        parts=parts,
        for_first=tuple(unit for unit in influential if unit.influence > 0)[:MAX_UNITS_SHOWN],
        for_second=tuple(unit for unit in reversed(influential) if unit.influence < 0)[:MAX_UNITS_SHOWN],
        unit_score=UNIT_SCORES.get(pairs[0][0].task),
        differing=_differing_settings(*pairs[0]),
        notes=(
            *(f"{name}: {problem}" for name, side in zip("AB", problems) for problem in side),
            *_notes(first, second, pairs),
        ),
    )


def _compare_metrics(
    metric: str,
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    groups: Sequence[int] | None,
) -> tuple[MetricComparison, tuple[MetricComparison, ...]]:
    tests = all_paired_tests(first, second, groups=groups)
    scores = [[score(statistics) for statistics in side] for side in (first, second)]
    means = [{name: float(np.mean([result.metrics[name] for result in side])) for name in tests} for side in scores]
    undefined = {name for side in scores for result in side for name in result.undefined}
    part_names = [name for name in tests if name != metric]
    adjusted = dict(zip(part_names, holm_bonferroni([tests[name].p for name in part_names])))
    adjusted[metric] = tests[metric].p
    parts = {
        name: MetricComparison(name, means[0][name], means[1][name], test, adjusted[name], name in undefined)
        for name, test in tests.items()
    }
    return parts[metric], tuple(parts[name] for name in part_names)


def _influential_units(
    units: Sequence[str], record: Record, first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics]
) -> list[InfluentialUnit]:
    """Return all units, sorted by influence in favor of the first run."""
    influences = jackknife_influence(first, second, record.metric)
    scores = [_score_by_unit(side) for side in (first, second)]
    return [
        InfluentialUnit(
            units[i], float(influences[i]), *(None if np.isnan(side[i]) else float(side[i]) for side in scores)
        )
        for i in np.argsort(-influences, kind="stable")
    ]


def _score_by_unit(side: Sequence[SufficientStatistics]) -> np.ndarray:
    """Return the score of each unit alone, averaged over seeds; NaN if it is undefined, and for a multi-task run."""
    pooled = PooledStatistics(side, many_in_groups=False)
    values = np.full(pooled.has_rows.shape, np.nan)
    if pooled.task == "expr":
        values[pooled.has_rows] = pooled.metrics(pooled.rows)["accuracy"].mean(axis=0)
    elif pooled.task == "va":
        scores = [pooled.metrics(pooled.rows)[name] for name in ("CCC_V", "CCC_A")]
        # an undefined CCC counts as 0; a defined one is practically never exactly 0
        defined = np.all([values_of_metric != 0 for values_of_metric in scores], axis=(0, 1))
        values[pooled.has_rows] = np.where(defined, np.mean(scores, axis=(0, 1)), np.nan)
    elif pooled.task == "au":
        true_positives, labeled, predicted = (part.sum(axis=1) for part in np.split(pooled.rows, 3, axis=1))
        total = labeled + predicted
        f1 = np.divide(2 * true_positives, total, out=np.full(true_positives.shape, np.nan), where=total > 0)
        values[pooled.has_rows] = f1.mean(axis=0)
    return values


def _differing_settings(first: Record, second: Record) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, by dotted name; hashes such as `entry` and `data` are left out."""
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
        for record in (first, second)
    ]
    return {
        name: (sides[0].get(name), sides[1].get(name))
        for name in {**sides[0], **sides[1]}
        if sides[0].get(name) != sides[1].get(name)
    }


def _notes(first: Sequence[Record], second: Sequence[Record], pairs: Sequence[tuple[Record, Record]]) -> Iterator[str]:
    for name, side in (("A", first), ("B", second)):
        if side[0].protocol == "published":
            yield f"{name} was selected on the reported split: its score is optimistic"
        yield from (f"{name}: {FLAGS[flag]}" for flag in side[0].flags if flag in FLAGS)
        paired = {pair[0 if name == "A" else 1].repetition for pair in pairs}
        unpaired = [record for record in side if record.repetition not in paired]
        if unpaired:
            yield (
                f"{name} also has {format_repetitions(unpaired)}, which {'B' if name == 'A' else 'A'} lacks; only "
                "seeds that both have are compared here, whereas the leaderboard averages all seeds"
            )
    code = differing_code(first, second)
    if code:
        parts = ", ".join(f"{name} {ours} / {theirs}" for name, (ours, theirs) in code.items())
        yield f"A and B were made by different code ({parts}), so a difference need not come from their settings"
    if len(pairs) == 1:
        yield "one seed of each run: the p-value is about these two jobs, not about their configurations"
