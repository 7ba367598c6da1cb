"""Type 1 error and power of the comparison of many rows with the best of them."""

import numpy as np
import pytest

from harness.metrics.best_comparisons import compare_with_best
from harness.metrics.contributions import RowScores
from harness.metrics.paired_tests import paired_permutation_test
from harness.metrics.pooled_scores import score
from harness.metrics.power import critical_values
from harness.metrics.sign_flips import RowFlips, critical_value, p_values
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import InputError
from tests.helpers.simulated_videos import GENERATORS, statistics

LUCK = {"expr": 0.3, "va": 0.06, "au": 0.3}


def rows_of(task, rows, videos=70, seeds=1, simulation=0, **options):
    """Equally good rows on the same videos; each is a list of the statistics of its seeds."""
    random = np.random.default_rng(simulation)
    found = statistics(task, GENERATORS[task](random, videos, rows * seeds, apart=LUCK[task], **options))
    return [found[i * seeds : (i + 1) * seeds] for i in range(rows)]


def worse(row, share, seed=0):
    """Statistics with a share of the right expressions moved to other classes."""
    random, right = np.random.default_rng(seed), np.eye(8, dtype=bool)
    made = []
    for one in row:
        counts = one.arrays["expr"].copy()
        moved = np.where(right, random.binomial(counts, share), 0)
        counts += np.roll(moved, 1, axis=-1) - moved
        made.append(SufficientStatistics("expr", {"expr": counts}))
    return made


@pytest.mark.parametrize("task", LUCK)
def test_contributions_add_up_to_the_differences(task):
    rows = rows_of(task, 4)
    values = [score(row[0]).metrics[TASKS[task].metric] for row in rows]
    scores, everything = RowScores(rows), np.arange(4)
    differences = scores.pair_contributions(TASKS[task].metric, 1, everything).sum(axis=1)
    assert differences == pytest.approx(values[1] - np.array(values), abs=2e-4)
    sums = scores.contributions(TASKS[task].metric, everything).sum(axis=1)
    assert sums - sums[1] == pytest.approx(values - np.array(values[1]), abs=5e-3)
    assert scores.shares(TASKS[task].metric).sum() == pytest.approx(1)


def test_worse_rows_are_found_and_equal_ones_are_not():
    rows = rows_of("expr", 6)
    rows[2], rows[4] = worse(rows[2], 0.5), worse(rows[4], 0.4)
    result = compare_with_best(rows, "P_EXPR")
    assert (result.p <= 0.05).tolist() == [False, False, True, False, True, False]
    assert result.p[result.best] == 1 and np.isnan(result.detectable[result.best])
    assert result.best == np.argmax([score(row[0]).metrics["P_EXPR"] for row in rows])


def test_poor_rows_do_not_hide_a_difference_between_good_ones():
    """Rows that are found worse leave, so that the others are judged by the number of those that remain."""
    good = [[row] for row in statistics("expr", GENERATORS["expr"](np.random.default_rng(3), 70, 2, apart=0.3))]
    good[1] = worse(good[1], 0.08)
    alone = compare_with_best(good, "P_EXPR").p[1]
    crowd = compare_with_best([*good, *(worse(good[1], 0.5, seed) for seed in range(10))], "P_EXPR")
    assert crowd.p[1] == pytest.approx(alone, abs=0.01) and (crowd.p[2:] <= 0.05).all()


def test_two_rows_are_judged_as_by_the_paired_test():
    for simulation in range(20):
        first, second = rows_of("expr", 2, simulation=simulation)
        result, paired = compare_with_best([first, second], "P_EXPR"), paired_permutation_test(first, second, "P_EXPR")
        assert result.p.min() == pytest.approx(paired.p, abs=0.01)
        assert np.nanmax(result.detectable) == pytest.approx(paired.detectable, rel=0.1)


def test_power_counts_with_the_critical_value_that_the_test_has_at_that_lead():
    """A lead that all videos share widens the flips of a dozen videos, so that the critical value depends on it."""
    for simulation in range(5):
        rows = rows_of("expr", 2, videos=12, simulation=simulation)
        rows[1] = worse(rows[1], 0.3)
        flips, both = RowFlips(RowScores(rows), "P_EXPR", 2000, 0), np.arange(2)
        contributions = flips.scores.contributions("P_EXPR", both)
        applied = critical_value(flips.largest(flips.sums(contributions), both))
        lead = contributions.sum(axis=1) @ [1, -1]
        assert critical_values(flips, 0, lead) == pytest.approx([applied])
        assert critical_values(flips, 0, 0.0) != pytest.approx([applied], rel=0.01)


def test_order_and_process_do_not_matter():
    rows = rows_of("va", 5, seeds=2)
    first, turned = compare_with_best(rows, "P_VA"), compare_with_best(rows[::-1], "P_VA")
    assert first.p.tolist() == compare_with_best(rows, "P_VA").p.tolist()
    assert turned.p[::-1] == pytest.approx(first.p, abs=0.02) and turned.luck == pytest.approx(first.luck, rel=0.02)


@pytest.mark.parametrize("task", LUCK)
def test_luck_is_the_lead_of_the_best_of_equal_rows(task):
    metric, leads, lucks = TASKS[task].metric, [], []
    for simulation in range(40):
        rows = rows_of(task, 12, videos=30, simulation=simulation)
        values = [score(row[0]).metrics[metric] for row in rows]
        leads.append(max(values) - np.mean(values))
        lucks.append(compare_with_best(rows, metric, draws=1000).luck)
    assert np.mean(lucks) == pytest.approx(np.mean(leads), rel=0.1)


def test_luck_grows_with_the_rows_and_is_0_for_copies():
    rows = rows_of("expr", 12)
    lucks = [compare_with_best(rows[:number], "P_EXPR", draws=1000).luck for number in (1, 2, 6, 12)]
    assert lucks == sorted(lucks) and lucks[0] == 0 < lucks[1]
    copies = compare_with_best([rows[0]] * 3, "P_EXPR", draws=1000)
    assert copies.luck == 0 and copies.p.tolist() == [1, 1, 1]


def test_numbers_of_seeds_may_differ():
    rows = rows_of("expr", 4, seeds=3)
    result = compare_with_best([rows[0][:1], *rows[1:]], "P_EXPR")
    assert (result.p > 0.05).all() and np.isfinite(np.delete(result.detectable, result.best)).all()


def test_few_units_find_nothing():
    assert compare_with_best(rows_of("expr", 3, videos=1), "P_EXPR").p.tolist() == [1, 1, 1]
    rows = rows_of("expr", 3, videos=5)
    result = compare_with_best([rows[0], worse(rows[1], 0.9), rows[2]], "P_EXPR")
    assert result.detectable is None and (result.p > 0.05).all()


def test_wrong_input_is_named():
    rows = rows_of("expr", 2)
    with pytest.raises(InputError, match="unknown metric 'P_VA'"):
        compare_with_best(rows, "P_VA")
    with pytest.raises(InputError, match="same units of the same task"):
        compare_with_best([rows[0], rows_of("expr", 1, videos=69)[0]], "P_EXPR")
    with pytest.raises(InputError, match="without statistics"):
        compare_with_best([rows[0], []], "P_EXPR")


def test_critical_value_and_p_value_agree():
    null = np.random.default_rng(0).normal(size=999)
    limit = critical_value(null)
    assert p_values(np.array([limit + 1e-6, limit]), null) == pytest.approx([0.05, 0.051])
    assert critical_value(null[:10]) == np.inf


def test_many_rows_have_fewer_draws(monkeypatch):
    rows = rows_of("expr", 6)
    rows[3] = worse(rows[3], 0.5)
    monkeypatch.setattr("harness.metrics.best_comparisons.CELLS", 1200)
    p = compare_with_best(rows, "P_EXPR").p
    assert p[3] == pytest.approx(1 / 201) and (np.delete(p, 3) > 0.05).all()
