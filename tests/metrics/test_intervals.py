"""Intervals hold the truth as often as they say, on videos whose frames depend on each other."""

import functools

import numpy as np
import pytest

from harness.metrics import intervals
from harness.metrics.intervals import DEFAULT_METHOD, confidence_interval
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics
from harness.utils.errors import InputError
from tests.helpers.simulated_videos import EPISODE, GENERATORS, statistics
from tests.metrics.test_unit_statistics import NAMES, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")
SIMULATIONS, VIDEOS = 1000, 70


@functools.cache
def true_value(task, metric):
    """The metric of 300,000 simulated videos, more than enough to know it within 0.001."""
    return score(statistics(task, GENERATORS[task](np.random.default_rng(99), 300_000))[0]).metrics[metric]


def coverage(task, simulations, videos, method=DEFAULT_METHOD, units=lambda found: found):
    """Share of simulated sets whose interval holds the truth; `units` may take videos apart."""
    metric = TASKS[task].metric
    truth, held = true_value(task, metric), 0
    for i in range(simulations):
        found = statistics(task, units(GENERATORS[task](np.random.default_rng(i), videos)))
        made = confidence_interval(found, metric, method, replicates=1000)
        held += made.low <= truth <= made.high
    return held / simulations


@pytest.mark.parametrize("task", GENERATORS)
def test_95_percent_intervals_of_70_videos_hold_the_truth_in_93_to_97_percent(task):
    assert 0.93 <= coverage(task, SIMULATIONS, VIDEOS) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("task", GENERATORS)
@pytest.mark.parametrize("videos", [12, 30, 200])
def test_of_few_and_of_many_videos_they_hold_it_too(task, videos):
    assert 0.91 <= coverage(task, 300, videos) <= 0.98


def test_percentiles_miss_what_few_videos_show():
    """Why they are not the method of the boards."""
    assert coverage("au", 100, VIDEOS, "percentile") < 0.88
    assert coverage("expr", 100, 12, "percentile") < 0.85


def episodes_as_units(confusion):
    """[1, V, 8, 8] -> [1, at most 4096 units, 8, 8]: frames that are alike are one unit, whichever video they are from.

    More lenient than frame by frame, which calls every frame of an episode independent too.
    """
    count = confusion[0].sum(axis=0) // EPISODE
    apart = np.repeat(np.eye(64, dtype=np.int64), count.ravel(), axis=0).reshape(-1, 8, 8) * EPISODE
    return apart[None]


def test_intervals_over_frames_fail():
    assert coverage("expr", 60, VIDEOS, units=episodes_as_units) < 0.6


@pytest.mark.parametrize(
    "seeds, spread",
    [(3, 0.3), pytest.param(5, 0.3, marks=pytest.mark.slow), pytest.param(3, 0.0, marks=pytest.mark.slow)],
)
def test_intervals_of_a_mean_over_seeds_hold_what_other_seeds_would_give(seeds, spread):
    def made(rng, videos, systems):
        return statistics("expr", GENERATORS["expr"](rng, videos, systems, apart=0.3, seed_spread=spread))

    many = [one for i in range(20) for one in made(np.random.default_rng(i), 4000, 10)]
    truth = np.mean([score(one).metrics["P_EXPR"] for one in many])
    ends = [
        confidence_interval(made(np.random.default_rng(i), VIDEOS, seeds), "P_EXPR", replicates=500) for i in range(300)
    ]
    assert 0.91 <= np.mean([one.low <= truth <= one.high for one in ends]) <= 0.98


def test_what_seeds_differ_in_on_all_videos_widens_the_interval():
    rng = np.random.default_rng(0)
    arrays = GENERATORS["expr"](rng, 60)[0]
    better = arrays.copy()
    wrong = better * (1 - np.eye(8, dtype=np.int64))
    moved = wrong // 3
    better -= moved
    better[:, range(8), range(8)] += moved.sum(axis=2)
    alike = confidence_interval(statistics("expr", [arrays, arrays, arrays]), "P_EXPR")
    apart = confidence_interval(statistics("expr", [arrays, arrays, better]), "P_EXPR")
    assert alike == confidence_interval(statistics("expr", [arrays]), "P_EXPR")
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)


@pytest.mark.parametrize("method", intervals.METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_every_metric_of_every_task_has_an_interval_around_it(name, method):
    outputs, targets, unit = rows_of(name, n=1500, units=30)
    found = compute_statistics(name, outputs, targets, unit, 30)
    for metric, value in score(found).metrics.items():
        made = confidence_interval([found], metric, method, replicates=400)
        assert made.method == method and made.low < made.high
        if method == "studentized":
            assert made.low <= value <= made.high
        wider = confidence_interval([found], metric, method, level=0.99, replicates=400)
        assert wider.high - wider.low > made.high - made.low


@pytest.mark.parametrize("task", GENERATORS)
def test_methods_agree_where_videos_are_many(task):
    found = statistics(task, GENERATORS[task](np.random.default_rng(0), 5000))
    ends = np.array(
        [
            [made.low, made.high]
            for made in (confidence_interval(found, TASKS[task].metric, method) for method in intervals.METHODS)
        ]
    )
    width = np.ptp(ends, axis=1).mean()
    assert np.ptp(ends, axis=0).max() < 0.2 * width


def test_one_unit_gives_no_interval_and_units_without_rows_do_not_count():
    outputs, targets, _ = rows_of("expr", n=50)
    alone = compute_statistics("expr", outputs, targets, np.zeros(50, int), 9)
    assert (confidence_interval([alone], "P_EXPR").low, confidence_interval([alone], "P_EXPR").high) == (None, None)
    nothing = compute_statistics("expr", outputs, {"expr": np.full(50, -1)}, np.zeros(50, int), 9)
    assert confidence_interval([nothing], "P_EXPR").low is None


def test_a_score_that_never_varies_has_an_interval_of_no_width():
    outputs, targets, unit = rows_of("va", n=200)
    constant = compute_statistics("va", np.full_like(outputs, 0.1), targets, unit, 7)
    assert (confidence_interval([constant], "P_VA").low, confidence_interval([constant], "P_VA").high) == (0, 0)
    perfect = SufficientStatistics("expr", {"expr": np.broadcast_to(np.eye(8, dtype=np.int64), (9, 8, 8))})
    assert (confidence_interval([perfect], "P_EXPR").low, confidence_interval([perfect], "P_EXPR").high) == (1, 1)


def test_intervals_stay_within_the_range_of_their_metric():
    found = statistics("expr", GENERATORS["expr"](np.random.default_rng(3), 6))
    ends = [confidence_interval(found, f"F1/{name}") for name in TASKS["expr"].columns]
    assert all(0 <= one.low <= one.high <= 1 for one in ends)


def test_wrong_input_is_named():
    outputs, targets, unit = rows_of("expr")
    found = compute_statistics("expr", outputs, targets, unit, 7)
    with pytest.raises(InputError, match="unknown metric 'P_EXP'; did you mean P_EXPR"):
        confidence_interval([found], "P_EXP")
    with pytest.raises(InputError, match="one of studentized, percentile, bca; got 'normal'"):
        confidence_interval([found], "P_EXPR", "normal")
    with pytest.raises(InputError, match="same units of the same task"):
        confidence_interval([found, compute_statistics("expr", outputs, targets, unit, 8)], "P_EXPR")
