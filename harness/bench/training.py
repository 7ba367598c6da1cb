"""One head, trained as a job trains it, against a bare torch loop with the same batches and arithmetic."""

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
    from harness.features.matrix import FeatureMatrix
    from harness.metrics.tasks import get_task
    from harness.runner.executors import THREADS_PER_JOB
    from harness.training.heads.standardization import feature_mean_std
    from harness.training.heads.train import HeadTrainingSpec, train_head

    with tempfile.TemporaryDirectory() as folder, torch_threads(THREADS_PER_JOB):
        entry, labels = make_random_features(Path(folder), ROWS)
        rest = median_seconds(lambda: feature_mean_std(FeatureMatrix(entry, "embeddings", labels), labels), ROUNDS)
        for head in HEADS:
            times = interleave_rounds(
                {
                    "job": lambda head=head: train_head(
                        get_task("expr"),
                        HeadTrainingSpec(head),
                        (FeatureMatrix(entry, "embeddings", labels), labels),
                        None,
                        0,
                    ),
                    "bare": lambda head=head: train_bare_loop(head, FeatureMatrix(entry, "embeddings", labels), labels),
                }
            )
            columns = head.hidden + head.hidden * CLASSES / WIDTH if head.kind == "mlp" else CLASSES
            floor = hardware_limits().roofline_seconds(2 * ROWS * WIDTH * 2, 2 * 2 * ROWS * WIDTH * columns, threads=1)
            job, alone = times.median("job"), times.median("bare")
            yield Measurement(
                f"training {head.kind}",
                f"{ROWS:,} x {WIDTH}, batches of {head.batch_size}, one epoch, one thread as a job has",
                job,
                "s",
                "a bare torch loop, same batches and arithmetic",
                alone,
                times.ratio("job", "bare"),
                0.8,
                floor=floor,
                note=f"both first take the mean and deviation of the columns, {rest:.3g} s; without that the "
                f"ratio is {(alone - rest) / (job - rest):.3g}",
            )


def train_bare_loop(head: HeadConfig, matrix: FeatureMatrix, labels: Labels) -> float:
    """The loss of one row, of a head trained for an epoch without anything around it."""
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
