"""Benchmark of a search in which most trials differ only in postprocessing, against training every trial."""

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
from harness.tracking import open_tracker
from harness.training.heads.config import HeadConfig
from harness.utils.console import suppress_logging
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.jobs.job import Job
    from harness.runner.prepared_inputs import PreparedInputs

logger = logging.getLogger(__name__)

TRIALS, TRAININGS, TIMED_TRAININGS = 100, 20, 3
EPOCHS = (11, 10 + TRAININGS)
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
        epochs=EPOCHS,
        gaps=("linear", "nearest"),
        thresholds=("chosen", "half"),
    ),
)
"""Only a new number of epochs needs another training. Radius, kernel, gaps and thresholds are applied afterwards."""


def measure() -> Iterator[Measurement]:
    """Compare a search with training its trials separately."""
    from harness.data.synthetic import make
    from harness.runner.preparation import prepare_inputs
    from harness.runner.run import run

    with tempfile.TemporaryDirectory() as folder:
        logger.info("rendering 40 videos and extracting their features")
        data, stores = Path(folder) / "data", (Store(Path(folder) / f"store{i}") for i in count())
        make(data, videos=40, frames=150, seed=0, stills=0)
        first = next(stores)
        with suppress_logging():
            prepared = prepare_inputs(RECIPE, data, first)
        trained: list[int] = []

        def run_search() -> None:
            store = _make_store(next(stores), first)
            with suppress_logging():
                run(RECIPE, data, store, 1, False)
            trained.append(sum(path.is_dir() for path in store.all_predictions.iterdir()))

        def train_separately() -> None:
            _train_trials(dataclasses.replace(prepared, store=_make_store(next(stores), first)))

        times = interleave_rounds({"search": run_search, "trainings": train_separately})
    training = times.median("trainings") / TIMED_TRAININGS
    missing = max(TRAININGS - min(trained), 0)
    value = times.median("search") + missing * training
    correction = (
        "" if not missing else f"; the sampler drew {TRAININGS - missing}, so the time of {missing} trainings is added"
    )
    yield Measurement(
        "search",
        f"{TRIALS} trials, {TRIALS - TRAININGS} of which differ only in smoothing, thresholds or gaps, with "
        "Optuna and MLflow",
        value,
        "s",
        f"training and scoring {TRIALS} times ({TIMED_TRAININGS} timed, scaled), without tracking",
        training * TRIALS,
        training * TRIALS / value,
        4.0,
        note=f"{TRAININGS} trainings of {training:.2f} s{correction}; those of a batch are trained jointly",
    )


def _train_trials(prepared: PreparedInputs) -> None:
    """Train and score TIMED_TRAININGS jobs like those of the trials, with numbers of epochs spread over EPOCHS."""
    from harness.jobs.execute import run_job
    from harness.runner.executors import local_executor

    with local_executor(1) as executor:
        for job in _trial_jobs(prepared):
            executor.submit(run_job, job).result()


def _trial_jobs(prepared: PreparedInputs) -> list[Job]:
    from harness.runner.expansion import JobGrid

    low, high = EPOCHS
    grid, smoothing = RECIPE.grids[0], SmoothingGrid(kernels=("mean",), smallest=25, largest=25)
    heads = (
        dataclasses.replace(grid.heads[0], epochs=low + round(i * (high - low) / (TIMED_TRAININGS - 1)), l2=1e-4)
        for i in range(TIMED_TRAININGS)
    )
    return [
        JobGrid(RECIPE, prepared).job("trial", grid.task, prepared.backbones[0], "embeddings", head, smoothing, 0)
        for head in heads
    ]


def _make_store(store: Store, first: Store) -> Store:
    """Make a store without jobs but with features and a tracking database, which are slow to create."""
    store.root.mkdir()
    with contextlib.suppress(FileExistsError):
        store.features.symlink_to(first.features)
    if not first.mlflow_database.exists():
        open_tracker(first)
    shutil.copy(first.mlflow_database, store)
    return store
