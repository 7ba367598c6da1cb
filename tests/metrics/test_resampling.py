"""Permutation flips are uniform and reproducible; random groups have the spread of their units."""

import io
import subprocess
import sys
import time
from contextlib import redirect_stdout

import numpy as np
import pytest

from harness.metrics import resampling
from harness.metrics.pooled import PooledStatistics
from harness.metrics.resampling import permutation_flips, random_groups
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics
from tests.helpers.pooled_statistics import bootstrap_distribution
from tests.metrics.test_unit_statistics import NAMES, rows_of


def test_permutation_flips_are_independent():
    swapped = np.concatenate(list(permutation_flips(20, 8000)))
    assert set(np.unique(swapped)) == {0, 1}
    np.testing.assert_allclose(np.cov(swapped.T), np.eye(20) / 4, atol=0.02)


def test_number_of_permutations(monkeypatch):
    monkeypatch.setattr(resampling, "CELLS", 1000)
    parts = list(permutation_flips(30, 101))
    assert len(parts) == 4 and sum(map(len, parts)) == 101
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(list(permutation_flips(30, 101))))


@pytest.mark.parametrize("name", NAMES)
def test_bootstrap_over_random_groups_has_the_spread_of_one_over_units(name, monkeypatch):
    outputs, targets, _ = rows_of(name, n=2700)
    found = compute_statistics(name, outputs, targets, np.arange(2700) % 900, 900)
    one_by_one = bootstrap_distribution([found], TASKS[name].metric, 3000)
    monkeypatch.setattr(resampling, "MAX_GROUPS", 300)
    in_groups = bootstrap_distribution([found], TASKS[name].metric, 3000)
    assert (one_by_one != in_groups).any()
    assert in_groups.std() == pytest.approx(one_by_one.std(), rel=0.12)
    assert in_groups.mean() == pytest.approx(one_by_one.mean(), abs=one_by_one.std() / 5)


def test_groups_partition_the_units():
    rows = np.random.default_rng(0).integers(0, 9, (3, 5000)).astype(float)
    found = random_groups(rows)
    assert found.shape == (3, resampling.MAX_GROUPS)
    np.testing.assert_array_equal(found.sum(axis=1), rows.sum(axis=1))
    np.testing.assert_array_equal(random_groups(np.ones((1, 5000)))[0], np.diff(np.arange(513) * 5000 // 512))


def test_many_units_are_fast():
    rng = np.random.default_rng(0)
    arrays = np.zeros((200_000, 8, 8), np.int64)
    arrays[np.arange(200_000), rng.integers(0, 8, 200_000), rng.integers(0, 8, 200_000)] = 1
    began = time.process_time()
    drawn = bootstrap_distribution([SufficientStatistics("expr", {"expr": arrays})], "accuracy")
    assert time.process_time() - began < 20
    assert drawn.std() == pytest.approx(np.sqrt(1 / 8 * 7 / 8 / 200_000), rel=0.1)


def test_columns_add_up_to_the_same_bits_in_any_order():
    outputs, targets, unit = rows_of("mtl", n=5000, units=90)
    rows = PooledStatistics([compute_statistics("mtl", outputs, targets, unit, 90)]).rows[0]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(rows.shape[1])
        np.testing.assert_array_equal(np.cumsum(rows[:, order], axis=1)[:, -1], rows.sum(axis=1))


CALL = """
import numpy as np
from harness.metrics.paired_tests import all_paired_tests
from harness.metrics.unit_statistics import compute_statistics
from tests.metrics.test_unit_statistics import rows_of
labels = rows_of("mtl", 900, 40)[1:]
sets = [compute_statistics("mtl", rows_of("mtl", 900, 40, seed)[0], *labels, 40) for seed in (1, 2)]
print({name: repr(one) for name, one in all_paired_tests(sets[:1], sets[1:], 500).items()})
"""


def test_results_do_not_depend_on_threads():
    """In a process with two threads and another hash seed as in this one, which has one thread."""
    there = subprocess.run(
        [sys.executable, "-c", CALL],
        capture_output=True,
        text=True,
        check=True,
        env={"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "2"},
    ).stdout
    with redirect_stdout(io.StringIO()) as here:
        exec(CALL, {})
    assert here.getvalue() == there and "P_MTL" in there
