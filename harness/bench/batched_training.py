"""Heads trained together, against the same heads one after another, on features that are read from the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.figure import Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.training.heads.config import HeadConfig

if TYPE_CHECKING:
    from harness.training.heads.train_batched import HeadTrainingSpec

L2, RATES = (0.0, 1e-4, 1e-3, 1e-2), (1e-4, 3e-4, 1e-3, 3e-3)
CLASSES = 8


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder, _one_thread() as device:
        yield _measure(folder, "32 heads together", HeadConfig("logistic_regression", epochs=2), (0, 1), 30_000, 10_000,
                       "cpu", 5, every=8, flops_of_a_row=2 * 2 * CLASSES, note=_LINEAR)
        yield _measure(folder, "16 mlp heads together", HeadConfig("mlp", epochs=1), (0,), 10_000, 10_000, device,
                       1 if device == "cpu" else 5, every=4, flops_of_a_row=2 * 2 * HeadConfig("mlp").hidden,
                       note=_DEEP)


_LINEAR = ("one thread, as a job has. The rest of the floor's time is reading, the mean and deviation of the columns, "
           "and for each head its loss, its step and its score")
_DEEP = ("on a CPU each is multiplied for itself, to the bits of a head alone, and arithmetic is the limit; on a GPU "
         "all in one product")


def _measure(folder: str, part: str, config: HeadConfig, seeds: Sequence[int], rows: int, chosen: int, device: str,
             least: float, every: int, flops_of_a_row: int, note: str) -> Measurement:
    """every: of the heads one after another so many are left out for one that is timed."""
    import dataclasses

    from harness.metrics.tasks import task
    from harness.training.heads.train import train_head
    from harness.training.heads.train_batched import HeadTrainingSpec, train_together

    heads = [dataclasses.replace(config, l2=l2, learning_rate=rate) for l2, rate in product(L2, RATES)]
    wanted: list[HeadTrainingSpec] = [HeadTrainingSpec(head) for head in heads]
    data, width = _open_features(folder, rows, chosen)
    expr, accelerator = task("expr"), "cpu" if device == "cpu" else "gpu"

    def together() -> None:
        for seed in seeds:
            train_together(expr, wanted, *data(), seed, device)

    def alone() -> None:
        for seed in seeds:
            for head in heads[::every]:
                train_head(expr, head, *data(), seed, accelerator=accelerator)

    times = interleave_rounds({"together": together, "alone": alone})
    count = len(heads) * len(seeds)
    seen = rows * config.epochs * 2 + chosen * config.epochs  # forwards and gradients; the selection forwards
    flops = count * width * flops_of_a_row / 2 * seen
    read = len(seeds) * (config.epochs + 1) * rows * width * 2
    return Measurement(
        part, f"{count} {config.kind}, {rows:,} x {width}, {config.epochs} epochs, {chosen:,} selection rows"
        + ("" if device == "cpu" else ", GPU"), times.median("together"), "s",
        f"one after another ({count // every} timed, scaled)", every * times.median("alone"),
        every * times.ratio("together", "alone"), least,
        floor=hardware_limits().floor(read, flops, threads=1) if device == "cpu" else None, note=note)


def _open_features(folder: str, rows: int, chosen: int) -> tuple[Callable[[], tuple[Any, ...]], int]:
    """A function that opens the features anew, as each job does, and their width."""
    import numpy as np

    from harness.bench.memory import features
    from harness.features.matrix import FeatureMatrix

    entry, labels = features(Path(folder), rows + chosen)
    fit, selection = labels.take(np.arange(rows)), labels.take(np.arange(rows, rows + chosen))

    def open_matrices() -> tuple[Any, ...]:
        return (FeatureMatrix(entry, "embeddings", fit), fit, FeatureMatrix(entry, "embeddings", selection), selection)

    return open_matrices, entry.width("embeddings")


@contextmanager
def _one_thread() -> Iterator[str]:
    """Torch with the threads of a job; yields `cuda` where there is one, otherwise `cpu`."""
    import torch

    from harness.runner.executors import THREADS

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield "cuda" if torch.cuda.is_available() else "cpu"
    finally:
        torch.set_num_threads(before)
