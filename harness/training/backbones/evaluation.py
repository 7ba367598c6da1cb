"""What a trained backbone says of pictures, and how right it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness.metrics.counts import f1
from harness.metrics.tasks import softmax
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import iter_image_batches
from harness.training.backbones.stages import Session

MAX_ERRORS = 48


@dataclass(frozen=True)
class Misclassification:
    """A still taken for another class; probability is that of `predicted`."""

    path: Path
    truth: str
    predicted: str
    probability: float


@torch.no_grad()
def compute_outputs(session: Session, pictures: ImageSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 embeddings [n, D] and scores [n, K] of the rows, in full precision, as a frozen backbone gives them."""
    backbone = session.backbone.eval().to(session.device)
    found = [
        [part.float().cpu().numpy() for part in backbone(session.inputs.eval_transform(images.to(session.device)))]
        for images in iter_image_batches(pictures, rows, session.prefetch_workers(pictures))
    ]
    backbone.to("cpu")
    return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes] counts, rows the truth."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 over the classes that the labels of a confusion matrix hold."""
    hits = np.diagonal(counts)
    values, _ = f1(hits, counts.sum(axis=0) - hits, counts.sum(axis=1) - hits)
    return float(values[counts.sum(axis=1) > 0].mean())


def accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def most_confident_errors(
    paths: list[Path], truth: np.ndarray, logits: np.ndarray, classes: tuple[str, ...]
) -> tuple[Misclassification, ...]:
    """The surest errors of logits [n, C] against truth [n], surest first."""
    probabilities = softmax(logits.astype(np.float64))
    predicted = probabilities.argmax(axis=1)
    sure = probabilities[np.arange(len(truth)), predicted]
    wrong = np.flatnonzero(predicted != truth)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:MAX_ERRORS]
    return tuple(
        Misclassification(paths[row], classes[truth[row]], classes[predicted[row]], float(sure[row])) for row in wrong
    )
