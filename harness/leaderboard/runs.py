"""Which run a command's RUN means: a run id, a job id, the beginning of one, or `best:TASK`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.splits import REPORTED, TRAINING
from harness.jobs.frozen_selection import verify_model_files, verify_predictions
from harness.jobs.job import Configuration, parse_configuration
from harness.jobs.job_folder import JobFolder
from harness.jobs.predictions import Predictions
from harness.leaderboard.rows import finished_records, group_by_configuration, mean_score
from harness.metrics.tasks import get_task
from harness.smoothing.kernels import SmoothingParams
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.store import Store

logger = logging.getLogger(__name__)

BEST_PREFIX = "best:"
MAX_CANDIDATES_SHOWN = 8
"""Candidates listed in an error."""
_JOB_ID = re.compile(r"(?P<run>.+)-s(?P<seed>\d+)")


def find_records(records: Iterable[Record], text: str) -> list[Record]:
    """The finished records of RUN, in order of seeds: all seeds of a run, or the one of a job id.

    text: a run id, a job id (`<run id>-s<seed>`), either with only the beginning of the run id, or `best:TASK`: the
    best run of that task's board, held-out before published, never a baseline or a result that reads labels.
    InputError for an unknown run, a beginning that several runs share, a run without a finished seed, a task without
    a run, and `best:TASK` where several data sets have a board.
    """
    records = [record for record in records if record.kind in ("run", "baseline")]
    if not records:
        raise InputError(
            f"there is no run '{text}': nothing was tracked in this store; start with: framelight run quickstart"
        )
    if text.startswith(BEST_PREFIX):
        return _finished_seeds(records, _best_run_id(records, text.removeprefix(BEST_PREFIX)))
    named = _JOB_ID.fullmatch(text)
    run = _complete_run_id(records, named["run"] if named else text)
    return _finished_seeds(records, run, int(named["seed"]) if named else None)


def find_pair(records: Iterable[Record], first: str, second: str) -> tuple[list[Record], list[Record]]:
    """The finished records of two RUNs; `best:TASK` beside a run means the best on the data and split of that run."""
    records = list(records)
    if first.startswith(BEST_PREFIX) == second.startswith(BEST_PREFIX):
        return find_records(records, first), find_records(records, second)
    named = find_records(records, second if first.startswith(BEST_PREFIX) else first)
    on = [record for record in records if (record.data_digest, record.split) == (named[0].data_digest, named[0].split)]
    best = find_records(on, first if first.startswith(BEST_PREFIX) else second)
    return (best, named) if first.startswith(BEST_PREFIX) else (named, best)


def _complete_run_id(records: Sequence[Record], beginning: str) -> str:
    known = sorted({record.group_id for record in records})
    matching = [run for run in known if run.startswith(beginning)] if beginning else []
    if beginning in known:
        return beginning
    if not matching:
        if len(known) <= MAX_CANDIDATES_SHOWN or _has_close_match(beginning, known):
            raise unknown_name_error("run", beginning, known)
        raise InputError(f"unknown run '{beginning}'; run ids are in the last column of: framelight leaderboard")
    if len(matching) > 1:
        raise InputError(
            f"'{beginning}' begins {len(matching)} runs; say more of it:\n"
            + _format_candidates([next(r for r in records if r.group_id == run) for run in matching])
        )
    return matching[0]


def _has_close_match(beginning: str, known: Sequence[str]) -> bool:
    import difflib

    return bool(difflib.get_close_matches(beginning, known, n=1, cutoff=0.5))


def _finished_seeds(records: Sequence[Record], run: str, seed: int | None = None) -> list[Record]:
    found = [record for record in records if record.group_id == run]
    done = sorted((record for record in found if record.status == "finished"), key=lambda record: record.seed)
    if seed is not None:
        if not any(record.seed == seed for record in done):
            raise InputError(
                f"run {run} has no finished seed {seed}; "
                f"finished: {', '.join(str(record.seed) for record in done) or 'none'}"
            )
        return [record for record in done if record.seed == seed][:1]
    if not done:
        raise InputError(f"run {run} has no finished seed: {found[0].error or found[0].status}")
    return list({record.seed: record for record in done}.values())


def _best_run_id(records: Sequence[Record], name: str) -> str:
    """The run id of the highest mean score; of equal ones, the smallest."""
    get_task(name)
    runs: list[tuple[float, Record]] = []
    datasets: dict[tuple, str] = {}
    for group in group_by_configuration(records, name):
        done = finished_records(group)
        first, score = (done or group)[0], mean_score(done)
        key = (*_board_key(first), first.protocol)
        datasets[key] = min(datasets.get(key, first.dataset), first.dataset)
        if first.kind == "run" and score is not None and not any("uses_labels" in record.flags for record in group):
            runs.append((score, first))
    if not runs:
        raise InputError(f"no run of task {name} is finished; framelight leaderboard lists what there is")
    runs = [(score, run) for score, run in runs if run.protocol == "held-out"] or runs
    best: dict[tuple[str, str], Record] = {}
    for _, run in sorted(runs, key=lambda scored: (-scored[0], scored[1].group_id)):
        best.setdefault(_board_key(run), run)
    if len(best) > 1:
        ordered = sorted(best.values(), key=lambda run: (datasets[(*_board_key(run), run.protocol)], *_board_key(run)))
        raise InputError(
            f"{BEST_PREFIX}{name} is not one run: {len(best)} data sets have a board of it. Name a run; "
            "the best of each:\n"
            + _format_candidates([next(r for r in records if r.group_id == run.group_id) for run in ordered])
        )
    return next(iter(best.values())).group_id


def _board_key(record: Record) -> tuple[str, str]:
    """Data set and split of the board that the record is on."""
    return record.data_digest or record.dataset, record.split


def _format_candidates(records: Sequence[Record]) -> str:
    lines = [
        f"  {record.group_id}  {record.task} on {record.dataset}, {record.protocol}: "
        f"{record.backbone or 'no backbone'}, {record.features}, {record.head}"
        for record in records[:MAX_CANDIDATES_SHOWN]
    ]
    return "\n".join(
        lines + ([f"  and {len(records) - MAX_CANDIDATES_SHOWN} more"] if len(records) > MAX_CANDIDATES_SHOWN else [])
    )


@dataclass(frozen=True)
class FinishedRun:
    """A finished job whose files are in a store."""

    record: Record
    configuration: Configuration
    store: Store

    @property
    def folder(self) -> Path:
        return self.store.job(self.record.job_id)

    @property
    def filter(self) -> SmoothingParams:
        record = self.record
        return SmoothingParams(record.kernel, record.radius, self.configuration.smoothing.gaps, record.thresholds)

    def load_predictions(self) -> Predictions:
        """What it predicted of the split it was scored on; FramelightError where that is gone, altered or unreadable."""
        path = JobFolder(self.folder).reported
        verify_predictions(self.folder, self.record.job_id, self.rerun_hint)
        try:
            return Predictions.load(path)
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise FramelightError(f"{path} cannot be read ({error}); {self.rerun_hint}") from error

    @property
    def rerun_hint(self) -> str:
        """What makes this run anew, in words for an error."""
        return (
            f"make the run again: framelight run {self.record.recipe or 'RECIPE'} --data DIR --store {self.store} "
            "--force"
        )

    @property
    def optimistic(self) -> bool:
        """Whether it was chosen on the very labels it was scored on."""
        return self.configuration.protocol.name == "published"


def records_of_dataset(records: Sequence[Record], dataset: Dataset, store: Store) -> list[Record]:
    """Those on the very images and annotations of `dataset`; all of them where there is none."""
    fingerprint = DatasetFingerprint(dataset, store.digests)
    tasks = {task for task in dataset.tasks() if {TRAINING, REPORTED} <= set(dataset.splits(task))}
    return [record for record in records if record.task in tasks and fingerprint.matches(record)] or list(records)


def select_seed(records: Sequence[Record], seed: int | None) -> Record:
    """The record of a seed (None: the first) among those of a run; InputError where it is not there."""
    by_seed = {record.seed: record for record in records}
    if seed is not None and seed not in by_seed:
        raise InputError(
            f"run {records[0].group_id} has no finished seed {seed}; it has {', '.join(map(str, sorted(by_seed)))}"
        )
    return by_seed[min(by_seed) if seed is None else seed]


def find_finished_run(records: Sequence[Record], text: str, seed: int | None, store: Store) -> FinishedRun:
    """The job that RUN and a seed (default: the first) name; logs where its model cannot be checked.

    InputError for a run that cannot predict, a seed it does not have, or one whose model is not in this store;
    FramelightError where a file of its model is gone or altered.
    """
    record = select_seed(find_records(records, text), seed)
    if record.kind == "published":
        raise InputError(f"{text} is a published figure; there is no model behind it here")
    if "uses_labels" in record.flags:
        raise InputError(
            f"run {record.group_id} ({record.backbone}) predicts from the labels of the videos "
            "themselves, and new images have none; take another run"
        )
    folder = store.job(record.job_id)
    if not folder.is_dir():
        raise InputError(
            f"the model of run {record.job_id} is not in {store} ({folder} is missing); name the store "
            "that it ran in with --store DIR"
        )
    chosen = FinishedRun(record, parse_configuration(record), store)
    if not verify_model_files(folder, record.job_id, chosen.rerun_hint):
        logger.info(
            f"run {record.job_id} is of an earlier version, which hashed no model: whether its files were "
            "altered cannot be told"
        )
    return chosen
