"""Emotion scores of a backbone as expressions."""

import numpy as np
import pytest

from harness.jobs.baselines import expression_columns, zero_shot_probabilities
from harness.metrics.tasks import EXPRESSIONS, softmax

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
SEVEN = tuple(name for name in AFFECTNET if name != "Contempt")
LOGITS = np.random.default_rng(0).normal(size=(50, 30))


def test_eight_affectnet_classes_match_the_published_indices():
    """Savchenko's notebooks: [5, 0, 2, 3, 4, 6, 7, 1], Contempt as Other."""
    said = zero_shot_probabilities(LOGITS[:, :8], expression_columns(AFFECTNET))
    np.testing.assert_allclose(said, softmax(LOGITS[:, :8])[:, [5, 0, 2, 3, 4, 6, 7, 1]], atol=1e-12)


def test_seven_classes_leave_nothing_for_other():
    said = zero_shot_probabilities(LOGITS[:, :7], expression_columns(SEVEN))
    np.testing.assert_allclose(said[:, :7], softmax(LOGITS[:, :7])[:, [4, 0, 1, 2, 3, 5, 6]], atol=1e-12)
    assert (said[:, 7] == 0).all()


def test_other_columns_are_ignored():
    names = ("Valence", *(name.upper() for name in AFFECTNET), "AU1")
    said = zero_shot_probabilities(LOGITS[:, :10], expression_columns(names))
    np.testing.assert_allclose(said, zero_shot_probabilities(LOGITS[:, 1:9], expression_columns(AFFECTNET)), atol=1e-12)
    np.testing.assert_allclose(said.sum(axis=1), 1)


def test_contempt_is_added_to_other():
    said = zero_shot_probabilities(LOGITS[:, :9], expression_columns((*EXPRESSIONS, "Contempt")))
    np.testing.assert_allclose(said[:, 7], softmax(LOGITS[:, :9])[:, 7:].sum(axis=1), atol=1e-12)


@pytest.mark.parametrize("names", [(), ("s0001", "s0002"), ("AU1", "Valence"), ("Neutral", "s1", "s2")])
def test_non_emotion_scores_raise(names):
    assert expression_columns(names) is None
