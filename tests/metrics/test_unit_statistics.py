import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from harness.metrics import p_au, p_expr, p_mtl, p_va
from harness.metrics.pooled_scores import score
from harness.metrics.scores import UndefinedMetricWarning, accuracy
from harness.metrics.tasks import TASKS, THRESHOLD_GRID
from harness.metrics.thresholds import best_thresholds
from harness.metrics.unit_statistics import StatisticsAccumulator, SufficientStatistics, compute_statistics
from harness.smoothing.kernels import smooth_many_radii
from harness.utils.errors import InputError
from tests.helpers.pooled_statistics import bootstrap_distribution, draw_units, merge_shards

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")

NAMES = ("expr", "va", "au", "mtl")
THRESHOLDS = np.array(THRESHOLD_GRID)[[7, 7, 6, 4, 4, 4, 5, 7, 7, 7, 2, 6]]


def rows_of(name, n=400, units=7, seed=0, invalid=0.15):
    """Outputs [n, C], targets with invalid labels, and the unit of each row (unit 2 never occurs)."""
    rng = np.random.default_rng(seed)
    targets = {
        "va": rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        "expr": rng.integers(0, 8, n),
        "au": rng.integers(0, 2, (n, 12)).astype(np.int8),
    }
    dropped = rng.random((3, n)) < invalid
    targets["va"][dropped[0], 0], targets["expr"][dropped[1]], targets["au"][dropped[2], 3] = -5, -1, -1
    blocks = {"va": rng.uniform(-1, 1, (n, 2)), "expr": rng.dirichlet(np.ones(8), n), "au": rng.random((n, 12))}
    task = TASKS[name]
    outputs = np.concatenate([blocks[output.name] for output in task.outputs], axis=1).astype(np.float32)
    kept = [i for i in range(units) if i != 2] if units > 2 else range(units)
    return outputs, {output.name: targets[output.name] for output in task.outputs}, rng.choice(kept, n)


def pooled_metric(name, targets, outputs, thresholds=0.5):
    decoded = TASKS[name].decode(outputs, thresholds)
    function = {"expr": p_expr, "va": p_va, "au": p_au}.get(name)
    return p_mtl(targets, decoded) if function is None else function(targets[name], decoded[name])


def assert_same(one: SufficientStatistics, other: SufficientStatistics):
    assert one.task == other.task and one.arrays.keys() == other.arrays.keys()
    for block, values in one.arrays.items():
        np.testing.assert_allclose(values, other.arrays[block], rtol=1e-9, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 60), st.integers(1, 9), st.integers(0, 10**6))
def test_score_equals_the_pooled_metric(name, n, units, seed):
    outputs, targets, unit = rows_of(name, n, units, seed)
    found = score(compute_statistics(name, outputs, targets, unit, units, THRESHOLDS))
    primary = TASKS[name].metric
    assert found.metrics[primary] == pytest.approx(pooled_metric(name, targets, outputs, THRESHOLDS), abs=1e-10)
    assert next(iter(found.metrics)) == primary


def test_score_has_every_metric_of_the_contract():
    outputs, targets, unit = rows_of("mtl")
    found = score(compute_statistics("mtl", outputs, targets, unit, 7)).metrics
    faces = [f"F1/{name}" for name in (*TASKS["expr"].columns, *TASKS["au"].columns)]
    assert set(found) == {"P_MTL", "P_VA", "CCC_V", "CCC_A", "P_EXPR", "accuracy", "P_AU", *faces}
    assert found["P_MTL"] == pytest.approx(found["P_VA"] + found["P_EXPR"] + found["P_AU"])
    decoded = TASKS["mtl"].decode(outputs)
    assert found["accuracy"] == pytest.approx(accuracy(targets["expr"], decoded["expr"]))
    kept = (targets["au"] >= 0).all(axis=1)
    assert found["F1/AU4"] == pytest.approx(f1_score(targets["au"][kept, 2], decoded["au"][kept, 2]))


def test_arrays_have_the_documented_shapes_and_count_valid_rows_only():
    outputs, targets, unit = rows_of("mtl")
    arrays = compute_statistics("mtl", outputs, targets, unit, 7).arrays
    assert {name: (values.shape, values.dtype) for name, values in arrays.items()} == {
        "va": ((7, 2, 6), np.float64),
        "expr": ((7, 8, 8), np.int64),
        "au": ((7, 12, 4), np.int64),
    }
    valid = TASKS["mtl"].valid(targets)
    np.testing.assert_array_equal(arrays["expr"].sum((1, 2)), np.bincount(unit[valid["expr"]], minlength=7))
    np.testing.assert_array_equal(arrays["va"][:, 1, 0], np.bincount(unit[valid["va"]], minlength=7))
    np.testing.assert_array_equal(arrays["au"][:, 5].sum(1), np.bincount(unit[valid["au"]], minlength=7))


@pytest.mark.parametrize("name", NAMES)
def test_curve_statistics_equal_separate_computations(name):
    outputs, targets, unit = rows_of(name, n=300, units=5)
    videos = [outputs[:120], outputs[120:125], outputs[125:]]
    rows = np.random.default_rng(1).permutation(300)[:200]
    labels = {key: values[rows] for key, values in targets.items()}
    collector = StatisticsAccumulator(name, labels, unit[rows], 5, THRESHOLDS, rows)
    for _, smoothed in smooth_many_radii(videos, "mean", [0, 1, 5]):
        expected = compute_statistics(name, np.ascontiguousarray(smoothed[rows]), labels, unit[rows], 5, THRESHOLDS)
        assert_same(collector(smoothed), expected)


def test_ties_predict_the_first_class():
    outputs = np.array([[0.1, 0.3, 0.3, 0, 0, 0, 0, 0.3], [0] * 8, [0, 0, 0, 0, 0, 0, 0, 1]], dtype=np.float64)
    confusion = compute_statistics("expr", outputs, {"expr": np.array([0, 0, 0])}, np.zeros(3, int), 1).arrays["expr"]
    assert confusion[0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 1]


def test_probability_at_its_threshold_counts_as_present():
    outputs = np.full((1, 12), 0.3)
    assert (
        compute_statistics("au", outputs, {"au": np.ones((1, 12), int)}, [0], 1, 0.3).arrays["au"][0, :, 0].tolist()
        == [1] * 12
    )


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.integers(1, 4), st.integers(0, 10**6))
def test_shards_of_unequal_size_merge_to_the_whole(name, shards, seed):
    outputs, targets, unit = rows_of(name, n=120, units=4, seed=seed)
    place = np.random.default_rng(seed).choice(shards, 120, p=np.arange(1, shards + 1) / np.arange(1, shards + 1).sum())
    parts = [
        compute_statistics(
            name, outputs[place == i], {key: v[place == i] for key, v in targets.items()}, unit[place == i], 4
        )
        for i in range(shards)
    ]
    whole = compute_statistics(name, outputs, targets, unit, 4)
    assert_same(merge_shards(parts), whole)
    assert score(merge_shards(parts)).metrics == pytest.approx(score(whole).metrics, abs=1e-10)


def test_constant_output_is_undefined_over_units_and_shards():
    targets = {"va": np.random.default_rng(0).uniform(-1, 1, (997, 2))}
    unit = np.arange(997) % 13
    outputs = np.full((997, 2), 0.1)
    whole = compute_statistics("va", outputs, targets, unit, 13)
    halves = [
        compute_statistics("va", outputs[part], {"va": targets["va"][part]}, unit[part], 13)
        for part in (slice(0, 400), slice(400, None))
    ]
    for found in (score(whole), score(merge_shards(halves))):
        assert found.undefined == ("CCC_V", "CCC_A") and found.metrics == {"P_VA": 0, "CCC_V": 0, "CCC_A": 0}
    assert (bootstrap_distribution([whole], "P_VA", 50, 0) == 0).all()


def test_undefined_metrics_are_listed_and_zero():
    outputs = np.eye(8)[[0, 1, 1]]
    found = score(compute_statistics("expr", outputs, {"expr": np.array([0, 1, 0])}, [0, 0, 1], 2))
    assert found.undefined == ("F1/Disgust", "F1/Fear", "F1/Happiness", "F1/Sadness", "F1/Surprise", "F1/Other")
    assert found.metrics["P_EXPR"] == pytest.approx(2 * 2 / 3 / 8)
    nothing = score(compute_statistics("expr", outputs, {"expr": np.array([-1, -1, -1])}, [0, 0, 1], 2))
    assert len(nothing.undefined) == 9 and set(nothing.metrics.values()) == {0}


@pytest.mark.parametrize("name", NAMES)
def test_bootstrap_equals_scoring_the_drawn_units_rows(name):
    outputs, targets, unit = rows_of(name, n=200, units=6, seed=3)
    drawn = bootstrap_distribution(
        [compute_statistics(name, outputs, targets, unit, 6, THRESHOLDS)], TASKS[name].metric, 12, seed=5
    )
    held = np.unique(unit)
    for value, weight in zip(drawn, draw_units(len(held), 12, seed=5)):
        rows = np.concatenate([np.flatnonzero(unit == u) for u, times in zip(held, weight) for _ in range(int(times))])
        taken = {key: values[rows] for key, values in targets.items()}
        assert value == pytest.approx(pooled_metric(name, taken, outputs[rows], THRESHOLDS), abs=1e-10)


def test_units_without_row_are_not_drawn():
    outputs, targets, unit = rows_of("va", units=2)
    few = bootstrap_distribution([compute_statistics("va", outputs, targets, unit, 2)], "CCC_V", 50, seed=1)
    np.testing.assert_allclose(
        bootstrap_distribution([compute_statistics("va", outputs, targets, unit, 500)], "CCC_V", 50, seed=1), few
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6), st.booleans())
def test_best_thresholds_maximize_f1(n, seed, on_grid):
    rng = np.random.default_rng(seed)
    outputs = rng.choice([0.0, 0.05, *THRESHOLD_GRID, 1.0], (n, 12)) if on_grid else rng.random((n, 12))
    targets = rng.integers(0, 2, (n, 12))
    targets[rng.random(n) < 0.1, 4] = -1
    targets[0] = np.abs(targets[0])
    kept = (targets >= 0).all(axis=1)
    scores = np.stack(
        [f1_score(targets[kept], outputs[kept] >= t, average=None, zero_division=0) for t in THRESHOLD_GRID]
    )
    first = (scores >= scores.max(axis=0) - 1e-12).argmax(axis=0)
    assert best_thresholds(outputs, targets).tolist() == [THRESHOLD_GRID[i] for i in first]


def test_score_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            outputs, targets, _ = rows_of(name, n=0)
            assert set(score(compute_statistics(name, outputs, targets, np.zeros(0, int), 3)).metrics.values()) == {0}
    with pytest.warns(UndefinedMetricWarning):
        p_expr([0], [0])


def test_wrong_input_is_named():
    outputs, targets, unit = rows_of("expr", n=20)
    with pytest.raises(InputError, match="unknown task 'exrp'; did you mean expr"):
        compute_statistics("exrp", outputs, targets, unit, 7)
    with pytest.raises(InputError, match=r"shape \[N, 8\]; got \[20, 7\]"):
        compute_statistics("expr", outputs[:, :7], targets, unit, 7)
    with pytest.raises(InputError, match="20 rows of outputs for 19 labels"):
        compute_statistics("expr", outputs, targets, unit[:19], 7)
    with pytest.raises(InputError, match="index .* into 3 unit"):
        compute_statistics("expr", outputs, targets, unit, 3)
    with pytest.raises(InputError, match="labels of expr go up to 7; found 9"):
        compute_statistics("expr", outputs, {"expr": np.full(20, 9)}, unit, 7)
    with pytest.raises(InputError, match="labels of expr have shape"):
        compute_statistics("expr", outputs, {"expr": np.zeros((20, 8), int)}, unit, 7)
    with pytest.raises(InputError, match="NaN or infinity"):
        compute_statistics("expr", np.full((20, 8), np.nan), targets, unit, 7)
    with pytest.raises(InputError, match="unknown metric 'P_EXP'; did you mean P_EXPR"):
        bootstrap_distribution([compute_statistics("expr", outputs, targets, unit, 7)], "P_EXP")
    with pytest.raises(InputError, match="at least one frame"):
        best_thresholds(np.zeros((2, 12)), np.full((2, 12), -1))
