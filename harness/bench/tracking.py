"""Benchmark of the overhead of MLflow and Optuna: the same jobs with and without them, in a new store each round."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from backbones.processors import available_processors
from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.jobs.execute import run_job
from harness.jobs.job import Job
from harness.runner import Grid, Recipe, Search, SmoothingGrid, SyntheticVideos
from harness.runner.executors import local_executor
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.runner.prepared_inputs import PreparedInputs
from harness.runner.search import GridSearch
from harness.tracking import open_tracker
from harness.tracking.records import Record
from harness.training.heads.config import HeadConfig
from harness.utils.store import Store

MIN_RATIO = 1 / 1.05
EPOCHS = 240
"""Number of epochs with which a job takes four to five seconds; a job on Aff-Wild2 takes minutes."""
SEARCH = Search(trials=4, batch=4, pruner="none", hidden=(128, 256), epochs=(EPOCHS, EPOCHS))
RECIPE = Recipe(
    name="bench",
    synthetic=SyntheticVideos(videos=40, frames=150),
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("embeddings+scores",), (HeadConfig("mlp"),)),),
    smoothing=SmoothingGrid(largest=50),
    baselines=False,
    pictures=False,
    search=SEARCH,
)
WORKERS = available_processors()


def measure() -> Iterator[Measurement]:
    """Compare a tracked search with its jobs alone."""
    with tempfile.TemporaryDirectory() as folder, local_executor(WORKERS) as executor:
        base = Store(Path(folder) / "base")
        open_tracker(base)
        prepared = prepare_inputs(RECIPE, None, base)
        jobs: list[Job] = []
        short = Search(trials=1, pruner="none", hidden=(16, 16), epochs=(1, 1))
        _run_search(dataclasses.replace(RECIPE, search=short), prepared, base, executor)  # creates Optuna's database
        stores = _copy_stores(base, 2 * (ROUNDS + 1))

        def run_tracked() -> None:
            jobs[:] = _run_search(RECIPE, prepared, next(stores), executor)

        def run_untracked() -> None:
            store = next(stores)
            list(executor.map(run_job, [dataclasses.replace(job, store=store) for job in jobs]))

        times = interleave_rounds({"tracked": run_tracked, "untracked": run_untracked})
    overhead = 100 * (1 / times.ratio("tracked", "untracked") - 1)
    added = 1000 * (times.median("tracked") - times.median("untracked")) / SEARCH.trials
    yield Measurement(
        "tracking",
        f"search of {SEARCH.trials} trials with MLflow and Optuna on SQLite, {WORKERS} jobs at a time",
        times.median("tracked"),
        "s",
        "the same jobs without both",
        times.median("untracked"),
        times.ratio("tracked", "untracked"),
        MIN_RATIO,
        note=f"{overhead:+.1f}% for jobs of {times.median('untracked') * WORKERS / SEARCH.trials:.1f} s, "
        f"{added:+.0f} ms per job, which weighs more for shorter jobs; "
        "both databases existed before",
    )


def _run_search(recipe: Recipe, prepared: PreparedInputs, store: Store, executor: Executor) -> list[Job]:
    """Run a search in a store, log its records, and return the jobs of its trials."""
    tracker = open_tracker(store)
    trial_jobs: list[Job] = []
    study = tracker.start_study(recipe.name, recipe.name)

    def run_batch(batch: Sequence[tuple[Job, Any]], count_trial: Callable[[], None]) -> list[Record]:
        jobs = [job for job, _ in batch]
        trial_jobs.extend(jobs)
        records = []
        for job, record in zip(jobs, executor.map(run_job, jobs)):
            tracker.log_record(record, job.folder, study)
            records.append(record)
            count_trial()
        return records

    GridSearch(JobGrid(recipe, dataclasses.replace(prepared, store=store)), recipe.grids[0], store).run(run_batch)
    tracker.end_run(study)
    return trial_jobs


def _copy_stores(base: Store, number: int) -> Iterator[Store]:
    """Make several copies of a store at once; files other than databases are hard-linked."""
    stores = []
    for i in range(number):
        store = Store(base.root.with_name(f"store{i}"))
        shutil.copytree(base, store, copy_function=os.link, ignore=shutil.ignore_patterns("*.db"))
        for database in base.root.glob("*.db"):
            shutil.copy2(database, store)
        stores.append(store)
    return iter(stores)
