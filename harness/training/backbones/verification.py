"""Whether two faces are of one person: how well embeddings tell, on people never trained on. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FALSE_ACCEPT_RATE = 1e-2
"""False accept rate at which the true accept rate is read."""

BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Verification:
    """auc: area under the ROC curve over all pairs; tar: share of pairs of one person accepted where at most FAR of
    the pairs of two are; nearest: share of images whose nearest other image is of the same person.
    """

    auc: float
    tar: float
    nearest: float


def verify(embeddings: np.ndarray, subject: np.ndarray) -> Verification:
    """Cosine similarity of embeddings [N, D] against subject [N]; ValueError without pairs of both kinds.

    Subjects of one image only make pairs of two people; `nearest` is over the images that have another of their own.
    """
    unit = _normalize_rows(np.asarray(embeddings, np.float32))
    subject = np.asarray(subject)
    upper = np.triu_indices(len(unit), 1)
    similar = _cosine_similarities(unit)
    same = subject[upper[0]] == subject[upper[1]]
    if not same.any() or same.all():
        raise ValueError("verification needs pairs of one person and pairs of two")
    scores = similar[upper]
    return Verification(
        roc_auc(same, scores), tar_at_far(same, scores, FALSE_ACCEPT_RATE), _nearest_accuracy(similar, subject)
    )


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a positive pair's score is above a negative's, ties counted half."""
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    rank = np.repeat(first + (counts + 1) / 2, counts)
    hits = int(positive.sum())
    return float((rank[positive[order]].sum() - hits * (hits + 1) / 2) / (hits * (len(scores) - hits)))


def tar_at_far(positive: np.ndarray, scores: np.ndarray, far: float) -> float:
    """Largest share of positives at or above a threshold that at most `far` of the negatives reach."""
    negatives = np.sort(scores[~positive])[::-1]
    allowed = int(np.floor(far * len(negatives) + 1e-9))
    if allowed >= len(negatives):
        return 1.0
    return float((scores[positive] > negatives[allowed]).mean())


def sample_rows(subject: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows to verify on, ascending: up to `most`, of subjects with two or more, as evenly as they allow.

    Pairs grow with the square of the rows. Of more subjects than two rows each allow, some are drawn. A pure function
    of its arguments.
    """
    random = np.random.default_rng(seed)
    paired = np.bincount(subject, minlength=1) >= 2
    if paired.sum() > most // 2:
        drawn = random.permutation(np.flatnonzero(paired))[: most // 2]
        paired[:] = False
        paired[drawn] = True
    rows = np.flatnonzero(paired[subject])
    order = rows[np.lexsort((random.random(len(rows)), subject[rows]))]
    start = np.searchsorted(subject[order], subject[order])
    turn = np.arange(len(order)) - start
    kept = order[np.lexsort((subject[order], turn))][:most]
    return np.sort(kept[np.bincount(subject[kept], minlength=1)[subject[kept]] >= 2])


def _normalize_rows(embeddings: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.maximum(norms, np.finfo(np.float32).tiny)


def _cosine_similarities(unit: np.ndarray) -> np.ndarray:
    """Symmetric float32 [N, N]."""
    similar = np.empty((len(unit), len(unit)), np.float32)
    for start in range(0, len(unit), BLOCK_ROWS):
        similar[start : start + BLOCK_ROWS] = unit[start : start + BLOCK_ROWS] @ unit.T
    return similar


def _nearest_accuracy(similar: np.ndarray, subject: np.ndarray) -> float:
    others = similar.copy()
    np.fill_diagonal(others, -np.inf)
    number = np.unique(subject, return_inverse=True)[1]
    paired = np.bincount(number)[number] >= 2
    return float((subject[others.argmax(axis=1)] == subject)[paired].mean())
