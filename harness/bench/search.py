"""A search in which most trials differ in what is done with outputs alone, against training each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench.figure import Measurement, interleave_rounds
from harness.runner import Grid, Recipe, Search, SmoothingGrid
from harness.training.heads.config import HeadConfig
from harness.utils.console import suppress_logging
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.jobs.job import Job
    from harness.runner.preparation import PreparedInputs

logger = logging.getLogger(__name__)

TRIALS, TRAININGS, TIMED_TRAININGS = 100, 20, 3
RECIPE = Recipe(
    name="bench",
    backbones=("tiny_mobilenet@random",),
    baselines=False,
    pictures=False,
    grids=(Grid("au", ("embeddings",), (HeadConfig("logistic_regression", batch_size=32),)),),
    smoothing=SmoothingGrid(largest=50),
    search=Search(
        trials=TRIALS,
        pruner="none",
        batch=20,
        hidden=(1, 1),
        learning_rate=(1e-3, 1e-3),
        l2=(1e-4, 1e-4),
        epochs=(11, 10 + TRAININGS),
        gaps=("linear", "nearest"),
        thresholds=("chosen", "half"),
    ),
)
"""The number of epochs alone makes another training; radius, kernel, gaps and thresholds are replayed."""


def measure() -> Iterator[Measurement]:
    from harness.data.synthetic import make
    from harness.runner.preparation import prepare_inputs
    from harness.runner.run import run

    with tempfile.TemporaryDirectory() as folder:
        logger.info("making 40 videos and their features")
        data, fresh = Path(folder) / "data", (Store(Path(folder) / f"store{i}") for i in count())
        make(data, videos=40, frames=150, seed=0, stills=0)
        first = next(fresh)
        with suppress_logging():
            prepared = prepare_inputs(RECIPE, data, first)
        trained: list[int] = []

        def run_search() -> None:
            store = _make_store(next(fresh), first)
            with suppress_logging():
                run(RECIPE, data, store, 1, False)
            trained.append(sum(path.is_dir() for path in store.all_predictions.iterdir()))

        def train_separately() -> None:
            _train_trials(dataclasses.replace(prepared, store=_make_store(next(fresh), first)))

        times = interleave_rounds({"search": run_search, "trainings": train_separately})
    one = times.median("trainings") / TIMED_TRAININGS
    missing = max(TRAININGS - min(trained), 0)
    value = times.median("search") + missing * one
    drawn = "" if not missing else f"; the sampler drew {TRAININGS - missing}, and the time of {missing} is added"
    yield Measurement(
        "search",
        f"{TRIALS} trials, {TRIALS - TRAININGS} of which differ in smoothing, thresholds or gaps alone, with "
        "Optuna and MLflow",
        value,
        "s",
        f"training and scoring {TRIALS} times ({TIMED_TRAININGS} timed, scaled), untracked",
        one * TRIALS,
        one * TRIALS / value,
        4.0,
        note=f"{TRAININGS} trainings of {one:.2f} s{drawn}; those of a batch train together",
    )


def _train_trials(prepared: PreparedInputs) -> None:
    """Some of the trials, spread over the numbers of epochs, each trained."""
    from harness.jobs.execute import run_job
    from harness.runner.executors import local_executor

    with local_executor(1) as executor:
        for job in _trial_jobs(prepared):
            executor.submit(run_job, job).result()


def _trial_jobs(prepared: PreparedInputs) -> list[Job]:
    from harness.runner.expansion import JobGrid

    low, high = RECIPE.search.epochs
    grid, one = RECIPE.grids[0], SmoothingGrid(kernels=("mean",), smallest=25, largest=25)
    heads = (
        dataclasses.replace(grid.heads[0], epochs=low + round(i * (high - low) / (TIMED_TRAININGS - 1)), l2=1e-4)
        for i in range(TIMED_TRAININGS)
    )
    return [
        JobGrid(RECIPE, prepared).job("trial", grid.task, prepared.backbones[0], "embeddings", head, one, 0)
        for head in heads
    ]


def _make_store(store: Store, first: Store) -> Store:
    """A store without jobs that has the features and a tracking database, which take long to make."""
    from harness.tracking import open_tracker

    store.root.mkdir()
    with contextlib.suppress(FileExistsError):
        store.features.symlink_to(first.features)
    if not first.mlflow_database.exists():
        open_tracker(first)
    shutil.copy(first.mlflow_database, store)
    return store
