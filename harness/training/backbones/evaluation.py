"""Outputs of a trained backbone, and their evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness.metrics.counts import f1
from harness.metrics.tasks import softmax
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import iter_image_batches
from harness.training.backbones.session import Session

MAX_ERRORS = 48


@dataclass(frozen=True)
class Misclassification:
    """A misclassified image.

    Attributes
    ----------
    path : Path
    truth, predicted : str
        Names of the classes.
    probability : float
        Probability of `predicted`.
    """

    path: Path
    truth: str
    predicted: str
    probability: float


@torch.no_grad()
def compute_outputs(session: Session, image_set: ImageSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the outputs of the backbone in evaluation mode and full precision.

    Parameters
    ----------
    session : Session
    image_set : ImageSet
    rows : ndarray of shape (n,)

    Returns
    -------
    embeddings : ndarray of shape (n, D)
        float32.
    scores : ndarray of shape (n, K)
        float32.
    """
    backbone = session.backbone.eval().to(session.device)
    outputs = [
        [part.float().cpu().numpy() for part in backbone(session.inputs.eval_transform(images.to(session.device)))]
        for images in iter_image_batches(image_set, rows, session.prefetch_workers(image_set))
    ]
    backbone.to("cpu")
    return np.concatenate([part[0] for part in outputs]), np.concatenate([part[1] for part in outputs])


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of true and predicted classes; int64 [classes, classes] with the true class in rows."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def macro_f1(counts: np.ndarray) -> float:
    """Compute the mean F1 of a confusion matrix over the classes that occur among its true classes."""
    hits = np.diagonal(counts)
    values, _ = f1(hits, counts.sum(axis=0) - hits, counts.sum(axis=1) - hits)
    return float(values[counts.sum(axis=1) > 0].mean())


def accuracy(counts: np.ndarray) -> float:
    """Compute the accuracy of a confusion matrix."""
    return float(np.trace(counts) / counts.sum())


def most_confident_errors(
    paths: list[Path], truth: np.ndarray, logits: np.ndarray, classes: tuple[str, ...]
) -> tuple[Misclassification, ...]:
    """Find the errors with the highest predicted probability.

    Parameters
    ----------
    paths : list of Path
    truth : ndarray of shape (n,)
        Class numbers.
    logits : ndarray of shape (n, C)
    classes : tuple of str

    Returns
    -------
    tuple of Misclassification
        At most `MAX_ERRORS`, the most confident first.
    """
    probabilities = softmax(logits.astype(np.float64))
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(truth)), predicted]
    wrong = np.flatnonzero(predicted != truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_ERRORS]
    return tuple(
        Misclassification(paths[row], classes[truth[row]], classes[predicted[row]], float(confidence[row]))
        for row in wrong
    )
