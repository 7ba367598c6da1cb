"""A backbone's own emotion scores read as expressions."""

import numpy as np
import pytest

from harness.jobs.baselines import expression_columns, zero_shot_probabilities
from harness.metrics.tasks import EXPRESSIONS, softmax

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
SEVEN = tuple(name for name in AFFECTNET if name != "Contempt")
LOGITS = np.random.default_rng(0).normal(size=(50, 30))


def test_affectnets_eight_classes_are_the_published_index_vector():
    """Savchenko's notebooks: [5, 0, 2, 3, 4, 6, 7, 1], Contempt as Other."""
    said = zero_shot_probabilities(LOGITS[:, :8], expression_columns(AFFECTNET))
    np.testing.assert_allclose(said, softmax(LOGITS[:, :8])[:, [5, 0, 2, 3, 4, 6, 7, 1]], atol=1e-12)


def test_seven_classes_leave_nothing_for_other():
    said = zero_shot_probabilities(LOGITS[:, :7], expression_columns(SEVEN))
    np.testing.assert_allclose(said[:, :7], softmax(LOGITS[:, :7])[:, [4, 0, 1, 2, 3, 5, 6]], atol=1e-12)
    assert (said[:, 7] == 0).all()


def test_columns_that_are_no_emotion_do_not_count():
    names = ("Valence", *(name.upper() for name in AFFECTNET), "AU1")
    said = zero_shot_probabilities(LOGITS[:, :10], expression_columns(names))
    np.testing.assert_allclose(said, zero_shot_probabilities(LOGITS[:, 1:9], expression_columns(AFFECTNET)), atol=1e-12)
    np.testing.assert_allclose(said.sum(axis=1), 1)


def test_contempt_beside_other_adds_to_it():
    said = zero_shot_probabilities(LOGITS[:, :9], expression_columns((*EXPRESSIONS, "Contempt")))
    np.testing.assert_allclose(said[:, 7], softmax(LOGITS[:, :9])[:, 7:].sum(axis=1), atol=1e-12)


@pytest.mark.parametrize("names", [(), ("s0001", "s0002"), ("AU1", "Valence"), ("Neutral", "s1", "s2")])
def test_columns_of_anything_else_are_not_read(names):
    assert expression_columns(names) is None
