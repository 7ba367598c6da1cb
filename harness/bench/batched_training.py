"""Benchmark of jointly trained heads against the same heads trained one after another."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from harness.bench.figure import Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.training.heads.config import HeadConfig
from harness.utils.parallel import torch_threads

L2, RATES = (0.0, 1e-4, 1e-3, 1e-2), (1e-4, 3e-4, 1e-3, 3e-3)
CLASSES = 8


@dataclass(frozen=True)
class _Case:
    """Heads that are trained jointly and one after another.

    Attributes
    ----------
    part : str
        Name of the measurement.
    config : HeadConfig
    seeds : tuple of int
    rows, selection_rows : int
        Number of rows (crops) to fit, and number of rows on which the best epoch is selected.
    timed_every : int
        Of the heads trained one after another, only every n-th is timed.
    flops_per_row : int
        Floating-point operations of one forward pass and one gradient, for one row and one column of the features.
    target : float
        Required speedup of joint training on a CPU.
    note : str
    """

    part: str
    config: HeadConfig
    seeds: tuple[int, ...]
    rows: int
    selection_rows: int
    timed_every: int
    flops_per_row: int
    target: float
    note: str


def measure() -> Iterator[Measurement]:
    """Compare joint and separate training of linear heads and of small networks."""
    import torch

    from harness.runner.executors import THREADS_PER_JOB

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder, torch_threads(THREADS_PER_JOB):
        yield _measure(folder, _LINEAR, "cpu")
        yield _measure(folder, _MLP if device == "cpu" else dataclasses.replace(_MLP, target=5), device)


_LINEAR = _Case(
    "32 heads together",
    HeadConfig("logistic_regression", epochs=2),
    seeds=(0, 1),
    rows=30_000,
    selection_rows=10_000,
    timed_every=8,
    flops_per_row=2 * 2 * CLASSES,
    target=5,
    note="one thread, as in a job. The time above the lower bound goes to reading, to the mean and standard "
    "deviation of each column, and to the loss, optimizer step and score of each head",
)
_MLP = _Case(
    "16 mlp heads together",
    HeadConfig("mlp", epochs=1),
    seeds=(0,),
    rows=10_000,
    selection_rows=10_000,
    timed_every=4,
    flops_per_row=2 * 2 * HeadConfig("mlp").hidden,
    target=1,
    note="on a CPU each head is multiplied separately, for results bitwise equal to separate training, and arithmetic "
    "is the limit; on a GPU all are multiplied in one product",
)


def _measure(folder: str, case: _Case, device: str) -> Measurement:
    from harness.metrics.tasks import get_task
    from harness.training.heads.train import HeadTrainingSpec, train_head
    from harness.training.heads.train_batched import train_heads

    config, step = case.config, case.timed_every
    specs = [
        HeadTrainingSpec(dataclasses.replace(config, l2=l2, learning_rate=rate)) for l2, rate in product(L2, RATES)
    ]
    data, width = _open_features(folder, case.rows, case.selection_rows)
    expr, accelerator = get_task("expr"), "cpu" if device == "cpu" else "gpu"

    def train_jointly() -> None:
        for seed in case.seeds:
            fit, selection = data()
            train_heads(expr, specs, fit, selection, seed, device)

    def train_separately() -> None:
        for seed in case.seeds:
            for spec in specs[::step]:
                fit, selection = data()
                train_head(expr, spec, fit, selection, seed, accelerator)

    times = interleave_rounds({"together": train_jointly, "alone": train_separately})
    count = len(specs) * len(case.seeds)
    forwards = (2 * case.rows + case.selection_rows) * config.epochs  # a gradient counts as another forward pass
    flops = count * width * case.flops_per_row / 2 * forwards
    read = len(case.seeds) * (config.epochs + 1) * case.rows * width * 2
    return Measurement(
        case.part,
        f"{count} {config.kind}, {case.rows:,} x {width}, {config.epochs} epochs, "
        f"{case.selection_rows:,} selection rows" + ("" if device == "cpu" else ", GPU"),
        times.median("together"),
        "s",
        f"one after another ({count // step} timed, scaled)",
        step * times.median("alone"),
        step * times.ratio("together", "alone"),
        case.target,
        floor=hardware_limits().roofline_seconds(read, flops, threads=1) if device == "cpu" else None,
        note=case.note,
    )


def _open_features(folder: str, rows: int, selection_rows: int) -> tuple[Callable[[], tuple[Any, Any]], int]:
    """Return a function that opens training and selection rows as each job does, and the number of feature columns."""
    import numpy as np

    from harness.bench.memory import make_random_features
    from harness.features.matrix import FeatureMatrix

    entry, labels = make_random_features(Path(folder), rows + selection_rows)
    fit, selection = labels.take(np.arange(rows)), labels.take(np.arange(rows, rows + selection_rows))

    def open_matrices() -> tuple[Any, Any]:
        return (
            (FeatureMatrix(entry, "embeddings", fit), fit),
            (FeatureMatrix(entry, "embeddings", selection), selection),
        )

    return open_matrices, entry.width("embeddings")
