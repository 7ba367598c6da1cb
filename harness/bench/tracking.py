"""What MLflow and Optuna add to a search: the same jobs, in a fresh store each round, with and without them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.jobs.execute import run_job
from harness.jobs.job import Job
from harness.runner import Grid, Recipe, Search, SmoothingGrid, SyntheticVideos
from harness.runner.executors import local_executor
from harness.runner.expansion import JobGrid
from harness.runner.preparation import PreparedInputs, prepare_inputs
from harness.runner.search import GridSearch
from harness.tracking import open_tracker
from harness.tracking.records import Record
from harness.training.heads.config import HeadConfig
from harness.utils.store import Store

MIN_RATIO = 1 / 1.05
EPOCHS = 240
"""A job then takes four to five seconds, where one on Aff-Wild2 takes minutes."""
RECIPE = Recipe(
    name="bench",
    synthetic=SyntheticVideos(videos=40, frames=150),
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("embeddings+scores",), (HeadConfig("mlp"),)),),
    smoothing=SmoothingGrid(largest=50),
    baselines=False,
    pictures=False,
    search=Search(trials=4, batch=4, pruner="none", hidden=(128, 256), epochs=(EPOCHS, EPOCHS)),
)
WORKERS = os.cpu_count() or 1


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder, local_executor(WORKERS) as executor:
        base = Store(Path(folder) / "base")
        open_tracker(base)
        prepared, asked = prepare_inputs(RECIPE, None, base), []
        short = Search(trials=1, pruner="none", hidden=(16, 16), epochs=(1, 1))
        _run_search(dataclasses.replace(RECIPE, search=short), prepared, base, executor)  # makes Optuna's database
        stores = _copy_stores(base, 2 * (ROUNDS + 1))

        def run_tracked() -> None:
            asked[:] = _run_search(RECIPE, prepared, next(stores), executor)

        def run_untracked() -> None:
            store = next(stores)
            list(executor.map(run_job, [dataclasses.replace(job, store=store) for job in asked]))

        times = interleave_rounds({"tracked": run_tracked, "untracked": run_untracked})
    more = 100 * (1 / times.ratio("tracked", "untracked") - 1)
    added = 1000 * (times.median("tracked") - times.median("untracked")) / RECIPE.search.trials
    yield Measurement(
        "tracking",
        f"search of {RECIPE.search.trials} trials with MLflow and Optuna on sqlite, {WORKERS} jobs at a time",
        times.median("tracked"),
        "s",
        "the same jobs without either",
        times.median("untracked"),
        times.ratio("tracked", "untracked"),
        MIN_RATIO,
        note=f"{more:+.1f} % for jobs of {times.median('untracked') * WORKERS / RECIPE.search.trials:.1f} s, "
        f"{added:+.0f} ms a job, which shorter jobs feel more; "
        "both databases were there before",
    )


def _run_search(recipe: Recipe, prepared: PreparedInputs, store: Store, executor: Executor) -> list[Job]:
    """Search in a store, each record sent as its job ends; the jobs of the trials."""
    tracker, asked = open_tracker(store), []
    study = tracker.start_study(recipe.name, recipe.name)

    def run_batch(jobs: Sequence[tuple[Job, Any]]) -> list[Record]:
        own = [job for job, _ in jobs]
        asked.extend(own)
        found = []
        for job, record in zip(own, executor.map(run_job, own)):
            tracker.log_record(record, job.folder, study)
            found.append(record)
        return found

    GridSearch(JobGrid(recipe, dataclasses.replace(prepared, store=store)), recipe.grids[0], store).run(run_batch)
    tracker.end_run(study)
    return asked


def _copy_stores(base: Store, number: int) -> Iterator[Store]:
    """Stores like `base`, made before they are asked for."""
    made = []
    for i in range(number):
        store = Store(base.root.with_name(f"store{i}"))
        shutil.copytree(base, store, copy_function=os.link, ignore=shutil.ignore_patterns("*.db"))
        for database in base.root.glob("*.db"):
            shutil.copy2(database, store)
        made.append(store)
    return iter(made)
