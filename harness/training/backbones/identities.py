"""Learning whose face a still shows."""

from __future__ import annotations

import numpy as np
import torch

from harness.data.stratification import stratified_group_split
from harness.training import losses
from harness.training.backbones import verification
from harness.training.backbones.evaluation import compute_outputs
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import ShuffledOrder
from harness.training.backbones.stages import Session, Stage, StageResult, train_stage
from harness.utils.errors import InputError

NAME = "identities"
MAX_VERIFICATION_IMAGES = 4000
"""Images that are paired with one another to verify faces: eight million pairs."""


def train_identities(session: Session) -> tuple[dict[str, float], StageResult]:
    """Cross entropy of the backbone's own scores, set to the subjects that have enough stills; metrics and outcome.

    `identity_accuracy` is on held-out stills of those subjects; the verification is on subjects never trained on.
    """
    lesson, unseen = _make_stage(session)
    outcome = train_stage(session, lesson)
    metrics = {"identity_accuracy": outcome.value, "identities": len(lesson.columns)}
    return metrics | session.work.get_or_compute("verification", lambda: _verify(session, unseen)), outcome


def _make_stage(session: Session) -> tuple[Stage, np.ndarray]:
    """The lesson, and bool by subject: those kept out of it to be verified on."""
    how, stills, seed = session.config.identities, session.train.stills, session.config.seed
    counts = np.bincount(stills.subject, minlength=len(stills.subjects))
    unseen = _verification_subjects(counts, stills.subjects, how.unseen, seed)
    known = np.flatnonzero((counts >= how.images) & ~unseen)
    if len(known) < 2:
        raise InputError(
            f"{len(known)} subjects have {how.images} stills or more; identities need two: leave them "
            "out (identities=none) or set a lower identities.images"
        )
    label = np.full(len(counts), -1)
    label[known] = np.arange(len(known))
    rows = np.flatnonzero(label[stills.subject] >= 0)
    held = validation_mask(stills.subject[rows], how.held_out, seed)
    learned, chosen = rows[~held], rows[held]
    truth, target = label[stills.subject[chosen]], torch.from_numpy(label[stills.subject[learned]])
    loader = session.make_loader(
        learned, {NAME: (target, torch.ones(len(learned), dtype=torch.bool))}, ShuffledOrder(len(learned), seed)
    )
    loss = losses.CrossEntropy(np.ones(len(known)), how.label_smoothing)
    return Stage(
        NAME,
        tuple(stills.subjects[subject] for subject in known),
        loader,
        losses.BlockLosses({NAME: loss}, {NAME: slice(0, len(known))}),
        how.schedule,
        session.plain,
        chosen,
        lambda logits: float((logits.argmax(axis=1) == truth).mean()),
        "accuracy",
        seed,
    ), unseen


def validation_mask(subject: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Bool [N]: of every subject at least one still and about that share of them, never all."""
    order = np.lexsort((np.random.default_rng(seed).random(len(subject)), subject))
    sizes = np.bincount(subject)[subject[order]]
    start = np.searchsorted(subject[order], subject[order])
    held = np.zeros(len(subject), bool)
    held[order] = np.arange(len(subject)) - start < np.maximum(1, np.round(share * sizes))
    return held


def _verification_subjects(counts: np.ndarray, subjects: tuple[str, ...], share: float, seed: int) -> np.ndarray:
    """Bool by subject: about that share of the subjects that can be verified on."""
    unseen = np.zeros(len(counts), bool)
    if share:
        paired = np.flatnonzero(counts >= 2)
        names = [subjects[subject] for subject in paired]
        if len(names) >= 2:
            unseen[paired] = stratified_group_split(names, names, share, seed)
        if unseen.sum() < 2:
            raise InputError(
                f"identities.unseen={share:g} keeps {unseen.sum()} of {len(names)} subjects with two "
                "stills; verification needs two at least: set a larger share, or 0"
            )
    return unseen


def _verify(session: Session, unseen: np.ndarray) -> dict[str, float]:
    """Metrics of verification on the kept-out subjects, else on the validation's own; {} where there are no pairs."""
    pictures, of_interest = session.plain, unseen
    if not unseen.any():
        if session.validation is None:
            return {}
        pictures, seen = session.validation, set(session.train.stills.subjects)
        of_interest = np.array([name not in seen for name in pictures.stills.subjects], bool)
    rows = _verification_rows(pictures, of_interest, session.config.seed)
    subject = pictures.stills.subject[rows]
    if len(np.unique(subject)) < 2:
        return {}
    found = verification.verify(compute_outputs(session, pictures, rows)[0], subject)
    return {
        "verification_auc": found.auc,
        "verification_tar": found.tar,
        "nearest_neighbour_accuracy": found.nearest,
        "verified_identities": len(np.unique(subject)),
        "verified_images": len(rows),
    }


def _verification_rows(pictures: ImageSet, of_interest: np.ndarray, seed: int) -> np.ndarray:
    rows = np.flatnonzero(of_interest[pictures.stills.subject])
    return rows[verification.sample_rows(pictures.stills.subject[rows], MAX_VERIFICATION_IMAGES, seed)]
