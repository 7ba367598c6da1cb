"""A small network, small images and their fit."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from harness.training.fit import OptimizerConfig, Selection, Shard
from harness.training.lightning_module import FrameModel
from harness.training.losses import BlockLosses, CrossEntropy
from harness.training.trainer import fit

ROWS, BATCH, CLASSES = 48, 16, 3
ALL = Shard()


class Network(nn.Module):
    """Pictures [B, 1, 6, 6] -> logits [B, 3], with what a fit must mind: batch norm and dropout."""

    def __init__(self, norm: bool = True, dropout: float = 0.3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=not norm),
            nn.BatchNorm2d(4) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
        )
        self.classifier = nn.Linear(64, CLASSES)

    def get_classifier(self) -> nn.Module:
        return self.classifier


class Backbone(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels):
        embeddings = self.network.body(pixels)
        return embeddings, self.network.classifier(embeddings)


def pictures(rows: int = ROWS, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that are brighter in one third, and which third."""
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (rows,), generator=random)
    images = torch.randn(rows, 1, 6, 6, generator=random)
    for row, third in enumerate(label):
        images[row, :, 2 * third : 2 * third + 2] += 1.0
    return images, label


def batches(epoch: int, part: Shard = ALL, size: int = BATCH):
    images, label = pictures()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(100 + epoch))
    for rows in order.split(size):
        rows = rows[part.index :: part.of]
        yield images[rows], {"class": (label[rows], torch.ones(len(rows), dtype=torch.bool))}


def selection_rows(part: Shard):
    images, _ = pictures(25, seed=1)
    return images[part.index :: part.of].split(4)


def accuracy(logits: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == pictures(25, seed=1)[1].numpy()).mean())


BY_ACCURACY = Selection(selection_rows, accuracy)


def model(
    norm: bool = True,
    dropout: float = 0.3,
    selection: Selection | None = BY_ACCURACY,
    inputs=None,
    frozen: bool = False,
    weight: float = 1.0,
    **how,
) -> FrameModel:
    torch.manual_seed(7)
    optimizer_config = OptimizerConfig(**{"epochs": 3, "rows": ROWS, "learning_rate": 0.02, **how})
    losses = BlockLosses({"class": CrossEntropy(np.full(CLASSES, weight))}, {"class": slice(0, CLASSES)})
    return FrameModel(
        nn.Identity(), losses, optimizer_config, Backbone(Network(norm, dropout)), "scores", selection, inputs, frozen
    )


def fitted(trainer=None, checkpoint=None, draw=batches, **how):
    return fit(model(**how), draw, trainer, checkpoint)


def assert_same(one, other) -> None:
    """The same bits."""
    assert (one.epoch, one.history, one.stopped) == (other.epoch, other.history, other.stopped)
    assert one.state.keys() == other.state.keys()
    for name, value in one.state.items():
        assert torch.equal(value, other.state[name]), name


def assert_near(one, other, tolerance: float) -> None:
    for name, value in one.state.items():
        assert torch.allclose(value.float(), other.state[name].float(), atol=tolerance, rtol=tolerance), name
