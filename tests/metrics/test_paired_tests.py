"""Type 1 error and power of the paired tests."""

import itertools

import numpy as np
import pytest

from harness.metrics.multiple_tests import holm_bonferroni
from harness.metrics.paired_tests import all_paired_tests, jackknife_influence, paired_permutation_test
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics
from harness.utils.errors import InputError
from tests.helpers.simulated_videos import GENERATORS, jackknife, statistics
from tests.metrics.test_unit_statistics import NAMES, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")


def two(name, seeds=1, n=900, units=40, shift=0.0):
    """Statistics of two runs of some seeds on the same rows; the first's outputs lean on the labels by `shift`."""
    _, targets, unit = rows_of(name, n, units)
    sides = []
    for side in range(2):
        made = []
        for seed in range(seeds):
            outputs = rows_of(name, n, units, seed=10 * side + seed + 1)[0]
            if name == "expr" and not side:
                outputs[np.arange(n), np.maximum(targets["expr"], 0)] += shift
            made.append(compute_statistics(name, outputs, targets, unit, units))
        sides.append(made)
    return sides


def identical(task, seeds, simulation, **luck):
    found = statistics(task, GENERATORS[task](np.random.default_rng(simulation), 70, 2 * seeds, **luck))
    return found[:seeds], found[seeds:]


def false_positives(task, seeds, simulations, **luck):
    metric = TASKS[task].metric
    made = [
        paired_permutation_test(*identical(task, seeds, i, **luck), metric, permutations=400)
        for i in range(simulations)
    ]
    return np.mean([one.p <= 0.05 for one in made]), np.mean([one.low <= 0 <= one.high for one in made])


@pytest.mark.parametrize("task, apart", [("expr", 0.3), ("va", 0.06), ("au", 0.3)])
@pytest.mark.parametrize("simulations, margin", [(300, 0.03), pytest.param(1000, 0.015, marks=pytest.mark.slow)])
def test_type_1_error_is_5_percent(task, apart, simulations, margin):
    rejected, held = false_positives(task, 1, simulations, apart=apart)
    assert abs(rejected - 0.05) <= margin
    assert 0.945 - margin <= held <= 0.96 + margin


@pytest.mark.slow
@pytest.mark.parametrize("seeds, most", [(3, 0.095), (5, 0.075)])
def test_type_1_error_with_seed_variance(seeds, most, monkeypatch):
    """Seeds that matter as much as videos: three are few to know it by."""
    rejected, held = false_positives("expr", seeds, 1000, apart=0.3, seed_spread=0.3)
    assert 0.035 <= rejected <= most
    assert held >= 0.91
    monkeypatch.setattr("harness.metrics.jackknife.Jackknife.seed_error", lambda self, groups=None: 0.0)
    assert false_positives("expr", seeds, 200, apart=0.3, seed_spread=0.3)[0] > 0.15, "swapping videos alone"


@pytest.mark.slow
def test_seed_noise_costs_little_power():
    assert 0.02 <= false_positives("au", 3, 500, apart=0.3)[0] <= 0.065


def test_p_value_equals_exact_permutation_test():
    first, second = ([one] for one in (rows[0] for rows in two("expr", units=8)))
    held = first[0].arrays["expr"].any(axis=(1, 2))
    one, other = (side[0].arrays["expr"][held] for side in (first, second))

    def compare(swap, permutations=20):
        swap = np.array(swap)[:, None, None]
        mixed = [SufficientStatistics("expr", {"expr": np.where(swap, *pair)}) for pair in ((other, one), (one, other))]
        return paired_permutation_test([mixed[0]], [mixed[1]], "P_EXPR", permutations)

    results = [compare(swap) for swap in itertools.product((False, True), repeat=len(one))]
    every = np.array([abs(result.difference) / result.error for result in results])
    found = compare([False] * len(one), 20_000)
    assert found.difference == pytest.approx(results[0].difference, abs=1e-12)
    assert found.p == pytest.approx(np.mean(every >= every[0] - 1e-9), abs=0.015)


@pytest.mark.parametrize("shift", np.linspace(0, 0.1, 6))
@pytest.mark.parametrize("seeds", [1, 3])
def test_interval_excludes_0_if_and_only_if_the_test_is_significant(shift, seeds):
    for result in all_paired_tests(*two("expr", seeds, shift=shift), permutations=999).values():
        assert (result.low <= 0 <= result.high) == (result.p > 0.05)
        assert result.low <= result.difference <= result.high


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seeds", [1, 3])
def test_single_metric_equals_joint_test(name, seeds):
    first, second = two(name, seeds)
    found = all_paired_tests(first, second, permutations=300)
    scores = [[score(one).metrics for one in side] for side in (first, second)]
    assert list(found) == list(scores[0][0])
    for metric, one in found.items():
        means = [np.mean([seed[metric] for seed in side]) for side in scores]
        assert one.difference == pytest.approx(means[0] - means[1], abs=1e-9)
        assert one.low <= one.difference <= one.high and 0 < one.p <= 1 and one.error > 0
    assert paired_permutation_test(first, second, TASKS[name].metric, permutations=300) == found[TASKS[name].metric]


def test_swapped_runs_negate_the_difference():
    first, second = two("expr", seeds=2, shift=0.05)
    one, other = paired_permutation_test(first, second, "P_EXPR"), paired_permutation_test(second, first, "P_EXPR")
    assert one.difference == -other.difference and one.p == other.p
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


def test_better_run_is_found():
    found = paired_permutation_test(*two("expr", shift=0.2), "P_EXPR")
    assert found.p < 0.001 and found.low > 0


def test_identical_runs_have_zero_difference():
    first, _ = two("mtl", seeds=2)
    for one in all_paired_tests(first, first, permutations=200).values():
        assert (one.difference, one.low, one.high, one.p, one.error) == (0, 0, 0, 1, 0)


def test_single_unit_is_never_significant():
    outputs, targets, _ = rows_of("expr", n=60)
    sides = [[compute_statistics("expr", one, targets, np.zeros(60, int), 1)] for one in (outputs, outputs[::-1])]
    found = paired_permutation_test(*sides, "P_EXPR")
    assert found.p == 1 and (found.low, found.high) == (None, None) and found.difference != 0


@pytest.mark.parametrize("name", NAMES)
def test_influence_equals_leave_one_out(name):
    first, second = two(name, seeds=2, units=9)
    metric = TASKS[name].metric
    found = jackknife_influence(first, second, metric)
    assert found.shape == (9,) and found[2] == 0, "unit 2 has no row"

    def apart(kept):
        sides = [
            [SufficientStatistics(name, {block: values[kept] for block, values in one.arrays.items()}) for one in side]
            for side in (first, second)
        ]
        return np.subtract(*(np.mean([score(one).metrics[metric] for one in side]) for side in sides))

    for unit in range(9):
        assert found[unit] == pytest.approx(apart(slice(None)) - apart(np.arange(9) != unit), abs=1e-9)


def test_influence_with_many_units():
    outputs, targets, _ = rows_of("expr", n=3000)
    sides = [[compute_statistics("expr", one, targets, np.arange(3000), 3000)] for one in (outputs, outputs[::-1])]
    assert jackknife_influence(*sides, "accuracy").shape == (3000,)


def test_holm_adjustment():
    assert holm_bonferroni([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_bonferroni([0.6, 0.9]) == [1, 1] and holm_bonferroni([]) == [] and holm_bonferroni([0.03]) == [0.03]


@pytest.mark.parametrize("units, able", [(5, False), (6, False), (7, True), (12, True)])
def test_too_few_units_detect_nothing(units, able):
    result = paired_permutation_test(*two("expr", units=units), "P_EXPR", permutations=500)
    assert (result.detectable is not None) == able, "one of the units has no row"


@pytest.mark.parametrize("shift", [0, 0.05, 0.2])
def test_detectable_difference_depends_on_the_jackknife_error_alone(shift):
    first, second = two("expr", shift=shift)
    found = paired_permutation_test(first, second, "P_EXPR")
    error = (jackknife(first, "P_EXPR") - jackknife(second, "P_EXPR")).mean().standard_error()
    assert found.error == pytest.approx(error, rel=0.03)
    assert 2.7 < found.detectable / error < 3.1, "1.96 + 0.84, and a little for the error of the error"


def test_wrong_input_is_named():
    first, second = two("expr")
    with pytest.raises(InputError, match="seed by seed; got 1 and 2 seeds"):
        paired_permutation_test(first, second * 2, "P_EXPR")
    with pytest.raises(InputError, match="unknown metric 'P_VA'"):
        paired_permutation_test(first, second, "P_VA")
    with pytest.raises(InputError, match="same units of the same task"):
        paired_permutation_test(first, two("expr", units=39)[1], "P_EXPR")
    empty = SufficientStatistics("expr", {"expr": np.zeros((3, 8, 8), np.int64)})
    with pytest.raises(InputError, match="nothing to compare"):
        all_paired_tests([empty], [empty])
