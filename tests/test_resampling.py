"""However units are drawn, the bootstrap has the same distribution."""

import time

import numpy as np
import pytest
from scipy.stats import ks_2samp

from harness import resampling
from harness.statistics import UnitStatistics, bootstrap, collect
from harness.tasks import TASKS
from tests.test_statistics import NAMES, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")


def test_units_of_one_image_are_resampled_as_any_other_units(monkeypatch):
    outputs, targets, _ = rows_of("expr", n=3000, invalid=0.1)
    found = collect("expr", outputs, targets, np.arange(3000), 3000)
    one_by_one = bootstrap(found, "P_EXPR", 4000, seed=1)
    monkeypatch.setattr(resampling, "MANY_UNITS", 100)
    by_kinds = bootstrap(found, "P_EXPR", 4000, seed=1)
    assert (by_kinds != one_by_one).any()
    assert ks_2samp(by_kinds, one_by_one).pvalue > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_many_units_that_differ_are_drawn_as_few_are(name, monkeypatch):
    outputs, targets, _ = rows_of(name, n=600)
    found = collect(name, outputs, targets, np.arange(600) % 300, 300)
    few = bootstrap(found, TASKS[name].metric, 4000, seed=1)
    monkeypatch.setattr(resampling, "MANY_UNITS", 100)
    many = bootstrap(found, TASKS[name].metric, 4000, seed=1)
    assert (few != many).any()
    assert ks_2samp(few, many).pvalue > 0.01


def test_two_hundred_thousand_units_of_one_image_take_no_time():
    rng = np.random.default_rng(0)
    arrays = np.zeros((200_000, 8, 8), np.int64)
    arrays[np.arange(200_000), rng.integers(0, 8, 200_000), rng.integers(0, 8, 200_000)] = 1
    began = time.process_time()
    drawn = bootstrap(UnitStatistics("expr", {"expr": arrays}), "accuracy")
    assert time.process_time() - began < 2
    assert drawn.std() == pytest.approx(np.sqrt(1 / 8 * 7 / 8 / 200_000), rel=0.05)
