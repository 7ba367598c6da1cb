"""Coverage of confidence intervals on simulated videos with dependent frames."""

import functools
import time

import numpy as np
import pytest

from harness.metrics.intervals import confidence_interval, confidence_intervals
from harness.metrics.jackknife import Jackknife
from harness.metrics.limits import share_limits
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics
from harness.utils.errors import InputError
from tests.helpers.simulated_videos import EPISODE, GENERATORS, jackknife, statistics
from tests.metrics.test_unit_statistics import NAMES, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")
VIDEOS = 70


@functools.cache
def true_value(task, metric):
    """The metric of 60,000 simulated videos, whose error is a thirtieth of that of 70 videos."""
    return score(statistics(task, GENERATORS[task](np.random.default_rng(99), 60_000))[0]).metrics[metric]


def coverage(task, simulations, videos, units=lambda found: found):
    """Share of simulated sets whose interval holds the truth; `units` may take videos apart."""
    metric = TASKS[task].metric
    truth, held = true_value(task, metric), 0
    for i in range(simulations):
        found = statistics(task, units(GENERATORS[task](np.random.default_rng(i), videos)))
        made = confidence_interval(found, metric)
        held += made.low <= truth <= made.high
    return held / simulations


@pytest.mark.parametrize("task", GENERATORS)
@pytest.mark.parametrize("videos", [12, VIDEOS])
@pytest.mark.parametrize(
    "simulations, least, most", [(120, 0.9, 1), pytest.param(500, 0.925, 0.99, marks=pytest.mark.slow)]
)
def test_coverage(task, videos, simulations, least, most):
    assert least <= coverage(task, simulations, videos) <= most


def episodes_as_units(confusion):
    """[1, V, 8, 8] -> [1, at most 4096 units, 8, 8]: frames that are alike are one unit, whichever video they are from.

    More lenient than frame by frame, which calls every frame of an episode independent too.
    """
    count = confusion[0].sum(axis=0) // EPISODE
    apart = np.repeat(np.eye(64, dtype=np.int64), count.ravel(), axis=0).reshape(-1, 8, 8) * EPISODE
    return apart[None]


def test_intervals_over_frames_undercover():
    assert coverage("expr", 60, VIDEOS, units=episodes_as_units) < 0.6


@pytest.mark.parametrize(
    "seeds, spread, simulations",
    [
        (3, 0.3, 100),
        pytest.param(3, 0.3, 300, marks=pytest.mark.slow),
        pytest.param(5, 0.3, 300, marks=pytest.mark.slow),
        pytest.param(3, 0.0, 300, marks=pytest.mark.slow),
    ],
)
def test_coverage_for_mean_over_seeds(seeds, spread, simulations):
    def made(rng, videos, systems):
        return statistics("expr", GENERATORS["expr"](rng, videos, systems, apart=0.3, seed_spread=spread))

    many = [one for i in range(20) for one in made(np.random.default_rng(i), 1500, 10)]
    truth = np.mean([score(one).metrics["P_EXPR"] for one in many])
    ends = [confidence_interval(made(np.random.default_rng(i), VIDEOS, seeds), "P_EXPR") for i in range(simulations)]
    allowed = 0.01 if simulations < 300 else 0
    assert 0.91 - allowed <= np.mean([one.low <= truth <= one.high for one in ends]) <= 0.985 + allowed


def test_seed_variance_widens_the_interval():
    rng = np.random.default_rng(0)
    arrays = GENERATORS["expr"](rng, 60)[0]
    better = arrays.copy()
    wrong = better * (1 - np.eye(8, dtype=np.int64))
    moved = wrong // 3
    better -= moved
    better[:, range(8), range(8)] += moved.sum(axis=2)
    alike = confidence_interval(statistics("expr", [arrays, arrays, arrays]), "P_EXPR")
    apart = confidence_interval(statistics("expr", [arrays, arrays, better]), "P_EXPR")
    alone = confidence_interval(statistics("expr", [arrays]), "P_EXPR")
    assert (alike.low, alike.high) == pytest.approx((alone.low, alone.high))
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_of_every_task_has_an_interval_around_it(name):
    outputs, targets, unit = rows_of(name, n=1500, units=30)
    found = compute_statistics(name, outputs, targets, unit, 30)
    values = score(found).metrics
    together, wider = (confidence_intervals([found], list(values), level) for level in (0.95, 0.99))
    for metric, value in values.items():
        made = confidence_interval([found], metric)
        assert made == together[metric]
        assert made.low <= value <= made.high and made.low < made.corrected < made.high
        assert wider[metric].high - wider[metric].low > made.high - made.low


@pytest.mark.parametrize("task", GENERATORS)
def test_interval_of_many_videos_is_two_standard_errors_wide(task):
    found, metric = statistics(task, GENERATORS[task](np.random.default_rng(0), 5000)), TASKS[task].metric
    made, errors = confidence_interval(found, metric), jackknife(found, metric).mean()
    assert made.corrected == pytest.approx(errors.values, abs=errors.standard_error() / 4)
    assert made.high - made.low == pytest.approx(2 * 1.96 * errors.standard_error(), rel=0.1)


def test_class_without_labels_may_have_any_score():
    seen = GENERATORS["expr"](np.random.default_rng(0), 40)[0]
    unseen = seen.copy()
    unseen[:, 3] = 0
    fear = confidence_interval(statistics("expr", [unseen]), "F1/Fear")
    assert (fear.low, fear.high) == (0, 1)
    with_fear, without = (confidence_interval(statistics("expr", [one]), "P_EXPR") for one in (seen, unseen))
    assert without.high > with_fear.high - with_fear.corrected + without.corrected, "it widens the interval upwards"
    assert without.high - without.corrected > 1 / 8


def test_class_in_two_videos_has_a_wide_interval():
    arrays = GENERATORS["expr"](np.random.default_rng(1), 70)[0]
    few = arrays.copy()
    few[np.argsort(few[:, 5].sum(axis=1))[:-2], 5] = 0
    wide, usual = (confidence_interval(statistics("expr", [one]), "F1/Sadness") for one in (few, arrays))
    assert wide.high - wide.low > 2 * (usual.high - usual.low)


@pytest.mark.parametrize("videos, least", [(12, 0.779), (70, 0.958)])
def test_perfect_score_on_few_videos_has_a_lower_limit(videos, least):
    counts = np.broadcast_to([5, 0, 0, 5], (videos, 12, 4))
    moments = np.tile([10, 0.0, 0.0, 2.0, 2.0, 2.0], (videos, 2, 1))
    moments[:, :, 1:3] = np.random.default_rng(0).normal(0, 0.3, (videos, 2, 1))
    perfect = {
        "P_EXPR": {"expr": np.broadcast_to(np.eye(8, dtype=np.int64), (videos, 8, 8))},
        "P_AU": {"au": counts},
        "P_VA": {"va": moments},
    }
    for metric, arrays in perfect.items():
        made = confidence_interval([SufficientStatistics(next(iter(arrays)), arrays)], metric)
        assert made.low == pytest.approx(least, abs=1e-3) and made.high == made.corrected == 1


@pytest.mark.parametrize("always", [False, True])
def test_classes_never_predicted_by_a_constant_output_score_0(always):
    rng = np.random.default_rng(0)
    counts = np.zeros((12, 8, 8), np.int64)
    counts[:, :, 0] = rng.integers(0, 9, (12, 8))
    [neutral, fear] = confidence_intervals(
        [SufficientStatistics("expr", {"expr": counts})], ["F1/Neutral", "F1/Fear"]
    ).values()
    assert 0 < neutral.low < neutral.high < 1 and (fear.low, fear.high, fear.corrected) == (0, 0, 0)
    units = np.zeros((12, 12, 4), np.int64)
    units[..., [2, 3]] = rng.integers(1, 9, (12, 12, 2))
    units[:, 0] = units[:, 0][:, [2, 3, 0, 1]] if always else units[:, 0]
    made = confidence_interval([SufficientStatistics("au", {"au": units})], "P_AU")
    assert (made.high > 0) == always and made.high < 0.1
    units[0, 5] = [0, 1, 1, 5]
    assert confidence_interval([SufficientStatistics("au", {"au": units})], "F1/AU2").high > 0.2, "no longer constant"


def test_constant_output_has_a_concordance_of_0():
    outputs, targets, unit = rows_of("va", n=200)
    constant = compute_statistics("va", np.full_like(outputs, 0.1), targets, unit, 7)
    made = confidence_interval([constant], "P_VA")
    assert (made.low, made.high) == (0, 0)


def test_one_unit_gives_no_interval_and_units_without_rows_do_not_count():
    outputs, targets, _ = rows_of("expr", n=50)
    alone = compute_statistics("expr", outputs, targets, np.zeros(50, int), 9)
    nothing = compute_statistics("expr", outputs, {"expr": np.full(50, -1)}, np.zeros(50, int), 9)
    for found in (alone, nothing):
        made = confidence_interval([found], "P_EXPR")
        assert made.low is made.high is made.corrected is None


def test_intervals_stay_within_the_range_of_their_metric():
    found = statistics("expr", GENERATORS["expr"](np.random.default_rng(3), 6))
    ends = [confidence_interval(found, f"F1/{name}") for name in TASKS["expr"].columns]
    assert all(0 <= one.low <= one.high <= 1 for one in ends)


def test_an_interval_is_fast():
    sets = statistics("au", GENERATORS["au"](np.random.default_rng(0), 300, 5))
    confidence_interval(sets, "P_AU")
    began = time.process_time()
    confidence_interval(sets, "P_AU")
    assert time.process_time() - began < 1


def test_wrong_input_is_named():
    outputs, targets, unit = rows_of("expr")
    found = compute_statistics("expr", outputs, targets, unit, 7)
    with pytest.raises(InputError, match="unknown metric 'P_EXP'; did you mean P_EXPR"):
        confidence_interval([found], "P_EXP")
    with pytest.raises(InputError, match="same units of the same task"):
        confidence_interval([found, compute_statistics("expr", outputs, targets, unit, 8)], "P_EXPR")


@pytest.mark.parametrize("deviation", [0.001, 0.01, 0.03])
def test_one_bad_video_does_not_turn_a_corrected_concordance_around(deviation):
    """z of the other videos is huge; the correction of z gave P_VA -0.97, 0.07 and 0.77 here."""
    random, unit = np.random.default_rng(0), np.repeat(np.arange(12), 200)
    truth = np.tanh(random.normal(0, 0.5, (len(unit), 2)))
    predicted = truth + random.normal(0, deviation, truth.shape)
    predicted[unit == 0] = 0
    made = compute_statistics("va", predicted, {"va": truth}, unit, 12)
    interval, value = confidence_interval([made], "P_VA"), score(made).metrics["P_VA"]
    assert value > 0.95 and abs(interval.corrected - value) < 0.1
    assert interval.low <= interval.corrected <= interval.high


def test_corrected_share_between_0_and_1_stays_there():
    """Without one video of twelve the first score is far higher, the second far lower."""
    values = np.array([0.229, 0.8, 0.5, 0.0, 1.0])
    without = np.repeat(values[:, None], 12, axis=1)
    without[0, 0], without[1, 0], without[2] = 0.6, 0.5, np.linspace(0.49, 0.515, 12)
    scores = Jackknife(values, without)
    assert scores.corrected()[0] < 0 and scores.corrected()[1] > 1
    limits = share_limits(scores, np.full(5, 12.0), 0.95)
    assert limits.center == pytest.approx([0.1145, 0.998, scores.corrected()[2], 0, 1])
    assert (limits.low <= values).all() and (values <= limits.high).all()
