"""Lookup of runs by run id, by job id, by a unique prefix of the run id, or by `best:TASK`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.splits import REPORTED, TRAINING
from harness.leaderboard.configurations import finished_records, group_by_configuration, mean_score
from harness.leaderboard.repetitions import repetition_order
from harness.leaderboard.verification_result import VerifyJobs
from harness.metrics.tasks import get_task
from harness.tracking.records import Record
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.store import Store

logger = logging.getLogger(__name__)

BEST_PREFIX = "best:"

MIN_DIGEST_LENGTH = 6
"""Number of characters shown of a dataset's digest, and minimum number that a user must give to select a dataset."""
MAX_CANDIDATES_SHOWN = 8
"""Maximum number of candidate runs listed in a message."""

_JOB_ID = re.compile(r"(?P<run>.+?)(?:-t(?P<training>\d+))?-s(?P<seed>\d+)")


def find_records(records: Iterable[Record], text: str, verify: VerifyJobs | None = None) -> list[Record]:
    """Find the finished records of a run.

    Parameters
    ----------
    records : iterable of Record
        Records in the order in which the jobs ended.
    text : str
        A run id, a job id or `best:TASK`. A job id is `<run id>-s<seed>`; with several trainings of the backbone it is
        `<run id>-t<training>-s<seed>`. In both kinds of id, a unique prefix can replace the run id. `best:TASK` is the
        best run of the task, never a baseline or a result that uses the labels of the reported split. Runs under the
        held-out protocol are preferred to runs under the published protocol. If there are such runs on several
        datasets, the dataset of the newest run is used, and this is logged. `best:TASK@DATASET` selects a dataset by
        its name or the first characters of its digest.
    verify : callable, optional
        Verifies the jobs of a run; `best:TASK` skips runs with a problem, and logs the problem.

    Returns
    -------
    list of Record
        The records of all finished jobs of the run, in the order of trainings and seeds. For a job id, only those of
        its seed: one record for each training if the id does not name a training.

    Raises
    ------
    InputError
        If the run, the task or the dataset is unknown, the prefix is ambiguous, the run has no finished job of the
        given seed and training, or the task has no finished run without a problem.
    """
    records = [record for record in records if record.kind in ("run", "baseline")]
    if not records:
        raise InputError(f"no run '{text}': no runs are tracked in this store; start with: framelight run quickstart")
    if text.startswith(BEST_PREFIX):
        task, _, dataset = text.removeprefix(BEST_PREFIX).partition("@")
        get_task(task)
        if "@" in text:
            records = _records_on(records, dataset, task)
        return _finished_seeds(records, _best_run_id(records, task, verify))
    job_id = _JOB_ID.fullmatch(text)
    run = _complete_run_id(records, job_id["run"] if job_id else text)
    if job_id and job_id["training"]:
        records = [record for record in records if record.group_id != run or str(record.training) == job_id["training"]]
        if not any(record.group_id == run for record in records):
            raise InputError(
                f"run {run} has no training {job_id['training']} of its backbone; see framelight show {run}"
            )
    return _finished_seeds(records, run, int(job_id["seed"]) if job_id else None)


def find_pair(
    records: Iterable[Record], first: str, second: str, verify: VerifyJobs | None = None
) -> tuple[list[Record], list[Record]]:
    """Find the finished records of two runs.

    Parameters
    ----------
    records : iterable of Record
        Records in the order in which the jobs ended.
    first, second : str
        See `find_records`. If only one of the two is `best:TASK`, it is the best run on the dataset and split of the
        other run.
    verify : callable, optional
        See `find_records`.

    Returns
    -------
    tuple of (list of Record, list of Record)
        The finished seeds of each run.

    Raises
    ------
    InputError
        See `find_records`.
    """
    records = list(records)
    if first.startswith(BEST_PREFIX) == second.startswith(BEST_PREFIX) or "@" in first + second:
        return find_records(records, first, verify), find_records(records, second, verify)
    run = find_records(records, second if first.startswith(BEST_PREFIX) else first)
    candidates = [
        record for record in records if (record.data_digest, record.split) == (run[0].data_digest, run[0].split)
    ]
    best = find_records(candidates, first if first.startswith(BEST_PREFIX) else second, verify)
    return (best, run) if first.startswith(BEST_PREFIX) else (run, best)


def _complete_run_id(records: Sequence[Record], prefix: str) -> str:
    run_ids = sorted({record.group_id for record in records})
    matching = [run for run in run_ids if run.startswith(prefix)] if prefix else []
    if prefix in run_ids:
        return prefix
    if not matching:
        if len(run_ids) <= MAX_CANDIDATES_SHOWN or _has_close_match(prefix, run_ids):
            raise unknown_name_error("run", prefix, run_ids)
        raise InputError(f"unknown run '{prefix}'; run ids are in the last column of: framelight leaderboard")
    if len(matching) > 1:
        raise InputError(
            f"'{prefix}' matches {len(matching)} runs; give more characters:\n"
            + _format_candidates([next(r for r in records if r.group_id == run) for run in matching])
        )
    return matching[0]


def _has_close_match(prefix: str, run_ids: Sequence[str]) -> bool:
    import difflib

    return bool(difflib.get_close_matches(prefix, run_ids, n=1, cutoff=0.5))


def _finished_seeds(records: Sequence[Record], run: str, seed: int | None = None) -> list[Record]:
    jobs = [record for record in records if record.group_id == run]
    finished = sorted((record for record in jobs if record.status == "finished"), key=repetition_order)
    if seed is not None:
        if not any(record.seed == seed for record in finished):
            raise InputError(
                f"run {run} has no finished seed {seed}; "
                f"finished: {', '.join(map(str, sorted({record.seed for record in finished}))) or 'none'}"
            )
        finished = [record for record in finished if record.seed == seed]
    if not finished:
        raise InputError(f"run {run} has no finished seed: {jobs[0].error or jobs[0].status}")
    return list({record.repetition: record for record in finished}.values())


def _records_on(records: Sequence[Record], dataset: str, task: str) -> list[Record]:
    """Select the records on a dataset, given by its name or the first characters of its digest."""
    of_task = [record for record in records if record.task == task]
    selected = [record for record in of_task if record.dataset == dataset] or [
        record for record in of_task if len(dataset) >= MIN_DIGEST_LENGTH and record.data_digest.startswith(dataset)
    ]
    if not selected and of_task:
        raise unknown_name_error("dataset", dataset, sorted({record.dataset for record in of_task}))
    return selected


def _best_run_id(records: Sequence[Record], task: str, verify: VerifyJobs | None) -> str:
    """Return the id of the run that `best:TASK` names, see `find_records`; the smallest id if scores are equal."""
    runs: list[tuple[float, list[Record]]] = []
    for group in group_by_configuration(records, task):
        finished = finished_records(group)
        score = mean_score(finished)
        if finished and score is not None and _may_be_best(group):
            runs.append((score, finished))
    if not runs:
        raise InputError(f"no run of task {task} is finished; list the runs with: framelight leaderboard")
    ordered_runs = [run for _, run in sorted(runs, key=lambda scored: (-scored[0], scored[1][0].group_id))]
    best = _best_of_each_board([run for run in ordered_runs if run[0].protocol == "held-out"], verify)
    best = best or _best_of_each_board([run for run in ordered_runs if run[0].protocol != "held-out"], verify)
    if not best:
        raise InputError(f"every run of task {task} was altered; list them with: framelight leaderboard --task {task}")
    finished_runs = {record.group_id for _, run in runs for record in run}
    newest = next(_board_key(r) for r in reversed(records) if r.group_id in finished_runs and _board_key(r) in best)
    if len(best) > 1:
        others = [best[key] for key in sorted(best, key=lambda key: (best[key].dataset, *key)) if key != newest]
        logger.info(
            f"note: {BEST_PREFIX}{task} is the best run on the newest dataset, {format_dataset(best[newest])}; for the "
            f"best on others, give {BEST_PREFIX}{task}@DATASET:\n{_format_candidates(others)}"
        )
    return best[newest].group_id


def _may_be_best(group: Sequence[Record]) -> bool:
    return group[0].kind == "run" and not any("uses_labels" in record.flags for record in group)


def _best_of_each_board(
    ordered_runs: Iterable[list[Record]], verify: VerifyJobs | None
) -> dict[tuple[str, str], Record]:
    """For each board, return a record of the best run without problems; log the problems of runs that are better."""
    best: dict[tuple[str, str], Record] = {}
    for run in ordered_runs:
        if _board_key(run[0]) in best:
            continue
        problems = verify(run).problems if verify is not None else ()
        for problem in problems:
            logger.warning(f"left out: {problem}")
        if not problems:
            best[_board_key(run[0])] = run[0]
    return best


def _board_key(record: Record) -> tuple[str, str]:
    """Return the dataset and the split that the record was scored on."""
    return record.data_digest or record.dataset, record.split


def format_dataset(record: Record) -> str:
    """Format the dataset of a record as its name with the first characters of its digest."""
    return f"{record.dataset} [{record.data_digest[:MIN_DIGEST_LENGTH]}]" if record.data_digest else record.dataset


def _format_candidates(records: Sequence[Record]) -> str:
    lines = [
        f"  {record.group_id}  {record.task} on {format_dataset(record)}, {record.protocol}: "
        f"{record.backbone or 'no backbone'}, {record.features}, {record.head}"
        for record in records[:MAX_CANDIDATES_SHOWN]
    ]
    return "\n".join(
        lines + ([f"  and {len(records) - MAX_CANDIDATES_SHOWN} more"] if len(records) > MAX_CANDIDATES_SHOWN else [])
    )


def records_of_dataset(records: Sequence[Record], dataset: Dataset, store: Store) -> list[Record]:
    """Select the records on exactly the images and annotations of `dataset`."""
    fingerprint = DatasetFingerprint(dataset, store.digests)
    tasks = {task for task in dataset.tasks() if {TRAINING, REPORTED} <= set(dataset.splits(task))}
    return [record for record in records if record.task in tasks and fingerprint.matches(record)]


def select_seed(records: Sequence[Record], seed: int | None) -> Record:
    """Select the record of a seed.

    Parameters
    ----------
    records : sequence of Record
        The finished seeds of a run.
    seed : int or None
        None for the lowest seed.

    Returns
    -------
    Record
        The record of the seed, on the first training of the backbone.

    Raises
    ------
    InputError
        If the run has no finished record of the seed.
    """
    by_seed = {record.seed: record for record in sorted(records, key=repetition_order, reverse=True)}
    if seed is not None and seed not in by_seed:
        raise InputError(
            f"run {records[0].group_id} has no finished seed {seed}; it has {', '.join(map(str, sorted(by_seed)))}"
        )
    return by_seed[min(by_seed) if seed is None else seed]
