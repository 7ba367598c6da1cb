"""Face verification with embeddings, in numpy: whether two images show the same person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FALSE_ACCEPT_RATE = 1e-2
"""False accept rate at which the true accept rate is computed."""

BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Verification:
    """Metrics of face verification.

    Attributes
    ----------
    auc : float
        Area under the ROC curve over all pairs.
    tar : float
        True accept rate at a false accept rate of `FALSE_ACCEPT_RATE`.
    nearest : float
        Share of images whose nearest neighbor shows the same person.
    """

    auc: float
    tar: float
    nearest: float


def verify(embeddings: np.ndarray, subject: np.ndarray) -> Verification:
    """Evaluate face verification by the cosine similarity of embeddings.

    Parameters
    ----------
    embeddings : ndarray of shape (N, D)
    subject : ndarray of shape (N,)
        The person in each image. If a person has only one image, it is used only in pairs of two persons and is not
        counted in `nearest`.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If there is no pair of one person or no pair of two persons.
    """
    normalized = _normalize_rows(np.asarray(embeddings, np.float32))
    subject = np.asarray(subject)
    upper = np.triu_indices(len(normalized), 1)
    similarities = _cosine_similarities(normalized)
    same = subject[upper[0]] == subject[upper[1]]
    if not same.any() or same.all():
        raise ValueError("verification needs pairs of images of one person and pairs of two persons")
    scores = similarities[upper]
    return Verification(
        roc_auc(same, scores), tar_at_far(same, scores, FALSE_ACCEPT_RATE), _nearest_accuracy(similarities, subject)
    )


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Compute the ROC AUC: the probability that a positive scores higher than a negative; ties count half.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
    scores : ndarray of shape (n,)
    """
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    rank = np.repeat(first + (counts + 1) / 2, counts)
    hits = int(positive.sum())
    return float((rank[positive[order]].sum() - hits * (hits + 1) / 2) / (hits * (len(scores) - hits)))


def tar_at_far(positive: np.ndarray, scores: np.ndarray, far: float) -> float:
    """Compute the true accept rate at a false accept rate.

    The threshold is the lowest one at which at most a share `far` of the negatives is accepted. The rate is the share
    of the positives that are accepted.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
    scores : ndarray of shape (n,)
    far : float
        False accept rate, from 0 to 1.
    """
    negatives = np.sort(scores[~positive])[::-1]
    allowed = int(np.floor(far * len(negatives) + 1e-9))
    if allowed >= len(negatives):
        return 1.0
    return float((scores[positive] > negatives[allowed]).mean())


def sample_rows(subject: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Sample rows for verification, to limit the number of pairs.

    A pure function of its arguments.

    Parameters
    ----------
    subject : ndarray of int, shape (N,)
    most : int
        Largest number of rows.
    seed : int

    Returns
    -------
    ndarray of int64
        Ascending rows of subjects with two rows or more, distributed as evenly over the subjects as possible. If there
        are more than `most // 2` such subjects, `most // 2` of them are drawn.
    """
    random = np.random.default_rng(seed)
    paired = np.bincount(subject, minlength=1) >= 2
    if paired.sum() > most // 2:
        subset = random.permutation(np.flatnonzero(paired))[: most // 2]
        paired[:] = False
        paired[subset] = True
    rows = np.flatnonzero(paired[subject])
    order = rows[np.lexsort((random.random(len(rows)), subject[rows]))]
    start = np.searchsorted(subject[order], subject[order])
    position = np.arange(len(order)) - start
    sample = order[np.lexsort((subject[order], position))][:most]
    return np.sort(sample[np.bincount(subject[sample], minlength=1)[subject[sample]] >= 2])


def _normalize_rows(embeddings: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.maximum(norms, np.finfo(np.float32).tiny)


def _cosine_similarities(normalized: np.ndarray) -> np.ndarray:
    """Compute the similarities of all pairs of unit vectors; float32 [N, N]."""
    similarities = np.empty((len(normalized), len(normalized)), np.float32)
    for start in range(0, len(normalized), BLOCK_ROWS):
        similarities[start : start + BLOCK_ROWS] = normalized[start : start + BLOCK_ROWS] @ normalized.T
    return similarities


def _nearest_accuracy(similarities: np.ndarray, subject: np.ndarray) -> float:
    others = similarities.copy()
    np.fill_diagonal(others, -np.inf)
    number = np.unique(subject, return_inverse=True)[1]
    paired = np.bincount(number)[number] >= 2
    return float((subject[others.argmax(axis=1)] == subject)[paired].mean())
