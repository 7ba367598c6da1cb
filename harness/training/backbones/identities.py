"""Stage that trains a backbone to recognize people."""

from __future__ import annotations

import numpy as np
import torch

from harness.data.stratification import stratified_group_split
from harness.training import losses
from harness.training.backbones import verification
from harness.training.backbones.evaluation import compute_outputs
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import ShuffledOrder
from harness.training.backbones.session import Session
from harness.training.backbones.stage_config import Identities
from harness.training.backbones.stages import Stage, StageResult, train_stage
from harness.utils.errors import InputError

NAME = "identities"
MAX_VERIFICATION_IMAGES = 4000
"""Maximum number of images in face verification; they form about eight million pairs."""


def train_identities(session: Session, config: Identities) -> tuple[dict[str, float], StageResult]:
    """Train the backbone's classifier and layers to recognize the subjects that have enough images.

    Returns
    -------
    metrics : dict of str to float
        `identities` is the number of subjects that were trained on, and `identity_accuracy` the accuracy on their
        held-out images. The metrics of face verification are added if at least two other subjects have two images.
    result : StageResult
    """
    stage, unseen = _make_stage(session, config)
    result = train_stage(session, stage)
    metrics = {"identity_accuracy": result.value, "identities": len(stage.columns)}
    return metrics | session.checkpoints.get_or_compute("verification", lambda: _verify(session, unseen)), result


def _make_stage(session: Session, config: Identities) -> tuple[Stage, np.ndarray]:
    """Create the stage and a mask of the subjects that are reserved for verification."""
    stills, seed = session.train.stills, session.config.seed
    counts = np.bincount(stills.subject, minlength=len(stills.subjects))
    unseen = _verification_subjects(counts, stills.subjects, config.unseen, seed)
    subjects = np.flatnonzero((counts >= config.images) & ~unseen)
    if len(subjects) < 2:
        nameless = "" if counts.max(initial=0) > 1 else "; no two of these images name the same person"
        raise InputError(
            f"identities need two subjects with {config.images} images or more, and there are {len(subjects)}"
            f"{nameless}: skip them (identities=none) or lower identities.images"
        )
    label = np.full(len(counts), -1)
    label[subjects] = np.arange(len(subjects))
    rows = np.flatnonzero(label[stills.subject] >= 0)
    held_out = validation_mask(stills.subject[rows], config.held_out, seed)
    fit_rows, selection_rows = rows[~held_out], rows[held_out]
    truth, target = label[stills.subject[selection_rows]], torch.from_numpy(label[stills.subject[fit_rows]])
    loader = session.make_loader(
        fit_rows, {NAME: (target, torch.ones(len(fit_rows), dtype=torch.bool))}, ShuffledOrder(len(fit_rows), seed)
    )
    loss = losses.CrossEntropy(np.ones(len(subjects)), config.label_smoothing)
    return Stage(
        NAME,
        tuple(stills.subjects[subject] for subject in subjects),
        loader,
        losses.BlockLosses({NAME: loss}, {NAME: slice(0, len(subjects))}),
        config.schedule,
        session.train_resized,
        selection_rows,
        lambda logits: float((logits.argmax(axis=1) == truth).mean()),
        "accuracy",
        seed,
    ), unseen


def validation_mask(subject: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Hold out about a share of each subject's images, at least one and never all.

    Parameters
    ----------
    subject : ndarray of int, shape (N,)
        Subject of each image; each subject has two images or more.
    share : float
        At most 0.5.
    seed : int

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(subject)), subject))
    sizes = np.bincount(subject)[subject[order]]
    start = np.searchsorted(subject[order], subject[order])
    held_out = np.zeros(len(subject), bool)
    held_out[order] = np.arange(len(subject)) - start < np.maximum(1, np.round(share * sizes))
    return held_out


def _verification_subjects(counts: np.ndarray, subjects: tuple[str, ...], share: float, seed: int) -> np.ndarray:
    """Draw about `share` of the subjects that have two images or more, and return a mask of them."""
    unseen = np.zeros(len(counts), bool)
    if share:
        paired = np.flatnonzero(counts >= 2)
        names = [subjects[subject] for subject in paired]
        if len(names) >= 2:
            unseen[paired] = stratified_group_split(names, names, share, seed)
        if unseen.sum() < 2:
            raise InputError(
                f"identities.unseen={share:g} reserves {unseen.sum()} of {len(names)} subjects with two images or "
                "more, and verification needs two: set a larger share, or 0"
            )
    return unseen


def _verify(session: Session, unseen: np.ndarray) -> dict[str, float]:
    """Compute the metrics of face verification.

    They are measured on the reserved subjects or, if there are none, on subjects who appear only in the validation
    images. The result is empty if fewer than two of them have two images.
    """
    image_set, subjects = session.train_resized, unseen
    if not unseen.any():
        if session.validation is None:
            return {}
        image_set, seen = session.validation, set(session.train.stills.subjects)
        subjects = np.array([name not in seen for name in image_set.stills.subjects], bool)
    rows = _verification_rows(image_set, subjects, session.config.seed)
    subject = image_set.stills.subject[rows]
    if len(np.unique(subject)) < 2:
        return {}
    result = verification.verify(compute_outputs(session, image_set, rows)[0], subject)
    return {
        "verification_auc": result.auc,
        "verification_tar": result.tar,
        "nearest_neighbour_accuracy": result.nearest,
        "verified_identities": len(np.unique(subject)),
        "verified_images": len(rows),
    }


def _verification_rows(image_set: ImageSet, subjects: np.ndarray, seed: int) -> np.ndarray:
    rows = np.flatnonzero(subjects[image_set.stills.subject])
    return rows[verification.sample_rows(image_set.stills.subject[rows], MAX_VERIFICATION_IMAGES, seed)]
