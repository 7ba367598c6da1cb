"""The jackknife of sums equals scoring again without each unit, and its errors are those of simulated sets."""

import numpy as np
import pytest

from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics
from tests.helpers.simulated_videos import GENERATORS, jackknife, statistics
from tests.metrics.test_unit_statistics import NAMES, rows_of


@pytest.mark.parametrize("name", NAMES)
def test_scores_without_a_unit_equal_a_recount(name):
    outputs, targets, unit = rows_of(name, n=900, units=12)
    found = compute_statistics(name, outputs, targets, unit, 12)
    metric = TASKS[name].metric
    made = jackknife([found], metric)
    present = [i for i in range(12) if found.rows()[:, i].any()]
    assert made.units == len(present) < 12
    for i, left in enumerate(present):
        rest = {block: np.delete(each, left, axis=0) for block, each in found.arrays.items()}
        expected = score(SufficientStatistics(name, rest)).metrics[metric]
        assert made.without[0, i] == pytest.approx(expected, abs=1e-9)
    assert made.values[0] == pytest.approx(score(found).metrics[metric], abs=1e-9)
    assert made.influence().mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("task", GENERATORS)
def test_standard_error_equals_the_spread_over_sets(task):
    sets = [statistics(task, GENERATORS[task](np.random.default_rng(i), 100)) for i in range(150)]
    made = [jackknife(found, TASKS[task].metric).mean() for found in sets]
    spread = np.std([one.values for one in made], ddof=1)
    assert np.sqrt(np.mean([one.standard_error() ** 2 for one in made])) == pytest.approx(spread, rel=0.25)


@pytest.mark.parametrize("task", ["expr", "au"])
def test_correction_removes_most_bias(task):
    metric = TASKS[task].metric
    truth = score(statistics(task, GENERATORS[task](np.random.default_rng(99), 100_000))[0]).metrics[metric]
    made = [
        jackknife(statistics(task, GENERATORS[task](np.random.default_rng(i), 12)), metric).mean() for i in range(300)
    ]
    bias = np.mean([one.values for one in made]) - truth
    assert bias < -0.02
    assert abs(np.mean([one.corrected() for one in made]) - truth) < abs(bias) / 2


def test_difference_of_paired_scores():
    first, second = (
        statistics("au", each[None]) for each in GENERATORS["au"](np.random.default_rng(1), 40, 2, apart=0.3)
    )
    one, other = jackknife(first, "P_AU"), jackknife(second, "P_AU")
    difference = one - other
    np.testing.assert_allclose(difference.without, one.without - other.without)
    both = one.standard_error() ** 2 + other.standard_error() ** 2
    assert difference.standard_error() ** 2 < 0.7 * both, "errors that runs share on the same videos cancel"
    influences = np.r_[one.influence(), other.influence()]
    covariance = np.cov(influences) / influences.shape[1]
    np.testing.assert_allclose(
        difference.standard_error() ** 2, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    )


def test_seed_variance_adds_an_error():
    apart = statistics("expr", GENERATORS["expr"](np.random.default_rng(2), 60, 5, seed_spread=0.5))
    made = jackknife(apart, "P_EXPR")
    assert made.seed_error() > 0
    alike = jackknife([apart[0], apart[0]], "P_EXPR")
    assert alike.seed_error() == 0 == jackknife(apart[:1], "P_EXPR").seed_error()
