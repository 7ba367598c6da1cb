"""Benchmark of training one head as in a job, against a plain torch loop with the same batches and arithmetic."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds, median_seconds
from harness.bench.hardware_limits import hardware_limits
from harness.bench.memory import WIDTH, make_random_features
from harness.training.heads.config import HeadConfig
from harness.utils.parallel import torch_threads

if TYPE_CHECKING:
    from harness.data.dataset import Labels
    from harness.features.matrix import FeatureMatrix

ROWS, CLASSES = 600_000, 8
HEADS = (HeadConfig("logistic_regression", epochs=1, l2=1e-4), HeadConfig("mlp", epochs=1, l2=1e-4))


def measure() -> Iterator[Measurement]:
    """Compare training with a plain torch loop for each head of HEADS."""
    from harness.features.matrix import FeatureMatrix
    from harness.metrics.tasks import get_task
    from harness.runner.executors import THREADS_PER_JOB
    from harness.training.heads.standardization import feature_mean_std
    from harness.training.heads.train import HeadTrainingSpec, train_head

    with tempfile.TemporaryDirectory() as folder, torch_threads(THREADS_PER_JOB):
        entry, labels = make_random_features(Path(folder), ROWS)
        statistics = median_seconds(
            lambda: feature_mean_std(FeatureMatrix(entry, "embeddings", labels), labels), ROUNDS
        )
        for head in HEADS:

            def train_as_job(head: HeadConfig = head) -> None:
                matrix = FeatureMatrix(entry, "embeddings", labels)
                train_head(get_task("expr"), HeadTrainingSpec(head), (matrix, labels), None, 0)

            def train_bare(head: HeadConfig = head) -> None:
                train_bare_loop(head, FeatureMatrix(entry, "embeddings", labels), labels)

            times = interleave_rounds({"job": train_as_job, "bare": train_bare})
            columns = head.hidden + head.hidden * CLASSES / WIDTH if head.kind == "mlp" else CLASSES
            floor = hardware_limits().roofline_seconds(2 * ROWS * WIDTH * 2, 2 * 2 * ROWS * WIDTH * columns, threads=1)
            job, bare = times.median("job"), times.median("bare")
            yield Measurement(
                f"training {head.kind}",
                f"{ROWS:,} x {WIDTH}, batches of {head.batch_size}, one epoch, one thread as in a job",
                job,
                "s",
                "a plain torch loop, same batches and arithmetic",
                bare,
                times.ratio("job", "bare"),
                0.8,
                floor=floor,
                note=f"both first compute mean and standard deviation of the columns in {statistics:.3g} s; without "
                f"that the ratio is {(bare - statistics) / (job - statistics):.3g}",
            )


def train_bare_loop(head: HeadConfig, matrix: FeatureMatrix, labels: Labels) -> float:
    """Train a head for one epoch in a plain torch loop and return the mean loss of a row."""
    import torch
    from torch.nn import Linear, ReLU, Sequential, functional

    from harness.metrics import tasks
    from harness.training.heads.standardization import feature_mean_std

    mean, deviation = (torch.from_numpy(values).float() for values in feature_mean_std(matrix, labels))
    scale, target = 1 / deviation, torch.from_numpy(labels.targets["expr"])
    weights = torch.from_numpy(tasks.expression_weights(labels.targets["expr"])).float()
    weights = weights / weights[target].mean()
    layers = (
        [Linear(WIDTH, head.hidden), ReLU(), Linear(head.hidden, CLASSES)] if head.hidden else [Linear(WIDTH, CLASSES)]
    )
    model, total, seen = Sequential(*layers), torch.zeros(()), 0
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    adam = torch.optim.Adam(model.parameters(), head.learning_rate, fused=True)
    for rows, values in matrix.stored_batches(head.batch_size, 0, 0):
        inputs = (torch.from_numpy(values).float() - mean) * scale
        adam.param_groups[0]["lr"] = head.learning_rate * 0.5 * (1 + math.cos(math.pi * seen / len(matrix)))
        loss = functional.cross_entropy(model(inputs), target[torch.from_numpy(rows)], weights, reduction="sum")
        loss = loss / len(rows)
        adam.zero_grad()
        (loss + head.l2 * sum(matrix.square().sum() for matrix in matrices)).backward()
        adam.step()
        total += loss.detach() * len(rows)
        seen += len(rows)
    return total.item() / seen
