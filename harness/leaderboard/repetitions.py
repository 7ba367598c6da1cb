"""Jobs of one configuration: several trainings of a backbone, and several seeds of the head on each training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.tracking.records import Record
from harness.utils.errors import InputError


def repetition_order(record: Record) -> tuple[int, int, str]:
    """Return the key that sorts the jobs of a configuration by training of the backbone, then by seed."""
    return -1 if record.training is None else record.training, record.seed, record.job_id


def group_by_training(records: Iterable[Record]) -> dict[int | None, list[Record]]:
    """Group the jobs of a configuration by the training of the backbone."""
    groups: dict[int | None, list[Record]] = defaultdict(list)
    for record in sorted(records, key=repetition_order):
        groups[record.training].append(record)
    return dict(groups)


def pair_jobs(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Pair the jobs of two configurations, seed by seed and training by training.

    If only one configuration has several trainings of its backbone, each of its jobs is paired with the other
    configuration's job with the same seed.

    Parameters
    ----------
    first, second : sequence of Record
        Finished jobs.

    Returns
    -------
    list of (Record, Record)
        Pairs in the order of trainings and seeds; empty if no job has a counterpart.
    """
    by_repetition = {record.repetition: record for record in second}
    by_seed = {record.seed: record for record in second if record.training is None}
    pairs = []
    for record in sorted(first, key=repetition_order):
        if record.training is None:
            others = sorted((other for other in second if other.seed == record.seed), key=repetition_order)
        else:
            other = by_repetition.get(record.repetition) or by_seed.get(record.seed)
            others = [] if other is None else [other]
        pairs += [(record, other) for other in others]
    return sorted(pairs, key=lambda pair: (_training(pair), pair[0].seed))


def training_indices(pairs: Sequence[tuple[Record, Record]]) -> list[int]:
    """Return a number for the two trainings of each pair; pairs with the same trainings get the same number."""
    keys = [(first.training, second.training) for first, second in pairs]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def training_groups(pairs: Sequence[tuple[Record, Record]]) -> list[int] | None:
    """Return `training_indices` as the groups of an interval or test; None if all pairs have the same training.

    With a single group, the standard error over groups would be 0. With None, each seed is a group.
    """
    indices = training_indices(pairs)
    return indices if len(set(indices)) > 1 else None


def _training(pair: tuple[Record, Record]) -> tuple[int, int]:
    first, second = (repetition_order(record)[0] for record in pair)
    return first, second


def pair_seeds(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Pair the records of two runs by seed and training of the backbone; see `pair_jobs`.

    Parameters
    ----------
    first, second : sequence of Record
        Finished jobs of each run. If each run has only one, the two are paired even if their seeds differ.

    Returns
    -------
    list of (Record, Record)
        One pair for each combination of training and seed that both runs have.

    Raises
    ------
    InputError
        If both runs are the same, or have no seed in common.
    """
    if first[0].job_id == second[0].job_id and len(first) == len(second):
        raise InputError(
            f"{first[0].group_id} would be compared with itself; name two runs, or two of its seeds as "
            f"{first[0].group_id}-s0 {first[0].group_id}-s1"
        )
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    pairs = pair_jobs(first, second)
    if not pairs:
        seeds = [f"{run[0].group_id} has {format_repetitions(run)}" for run in (first, second)]
        raise InputError(
            f"runs are compared seed by seed, and these have no seed in common: {', '.join(seeds)}; "
            "run the recipe of one again with --set seeds=... and the seeds of the other"
        )
    return pairs


def format_repetitions(records: Iterable[Record]) -> str:
    """Format what differs between jobs: `seeds 0, 1`, or `seeds 0, 1 of training 2` for each training of a backbone."""
    parts = []
    for training, group in group_by_training(records).items():
        seeds = ", ".join(str(record.seed) for record in group)
        which = "" if training is None else f" of training {training}"
        parts.append(f"seed{'s' if len(group) > 1 else ''} {seeds}{which}")
    return " and ".join(parts)
