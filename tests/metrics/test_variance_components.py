"""Variance between trainings of a backbone and between seeds of a head."""

import numpy as np
import pytest

from harness.metrics.variance_components import mean_by_group, variance_components


def test_estimates_are_unbiased():
    random = np.random.default_rng(0)
    trainings, seeds, found = 0.05, 0.02, []
    for _ in range(2000):
        scores = random.normal(0, trainings, (6, 1)) + random.normal(0, seeds, (6, 4))
        parts = variance_components(scores.tolist())
        found.append([parts.trainings**2, parts.seeds**2])
    np.testing.assert_allclose(np.mean(found, axis=0), [trainings**2, seeds**2], rtol=0.05)


def test_unequal_groups_use_the_average_size():
    parts = variance_components([[1.0, 2.0, 3.0], [5.0]])
    within, between, size = 1.0, (3 * 0.75**2 + 2.25**2), (4 - 10 / 4) / 1
    assert parts.seeds == 1.0
    assert parts.trainings == pytest.approx(((between - within) / size) ** 0.5)


def test_negative_variance_is_zero_and_missing_parts_are_none():
    assert variance_components([[0.0, 1.0], [0.0, 1.0]]).trainings == 0
    alone = variance_components([[0.3, 0.5]])
    assert alone.trainings is None and alone.seeds == alone.total == pytest.approx(0.02**0.5)
    assert variance_components([[0.3], [0.5]]).seeds is None
    assert variance_components([[0.3]]).total is None


def test_seeds_of_one_training_count_once():
    """Five seeds on each of two trainings are no ten independent repetitions."""
    from harness.metrics.intervals import confidence_interval
    from harness.metrics.unit_statistics import compute_statistics

    random, labels = np.random.default_rng(1), np.arange(8).repeat(40)
    units, runs = np.arange(320) % 40, []
    for right in (0.5, 0.8):  # two trainings
        for _ in range(5):
            predicted = np.where(random.random(320) < right, labels, random.integers(0, 8, 320))
            runs.append(compute_statistics("expr", np.eye(8)[predicted], {"expr": labels}, units, 40))
    alike = confidence_interval(runs, "accuracy")
    grouped = confidence_interval(runs, "accuracy", groups=[0] * 5 + [1] * 5)
    assert grouped.high - grouped.low > 2 * (alike.high - alike.low)
    assert mean_by_group(np.arange(4.0), [1, 0, 1, 0]).tolist() == [2.0, 1.0]
