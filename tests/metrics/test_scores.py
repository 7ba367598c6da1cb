import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score

from harness.metrics import ccc, p_au, p_expr, p_mtl, p_va
from harness.metrics.scores import UndefinedMetricWarning, accuracy
from harness.metrics.tasks import TASKS
from harness.utils.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::harness.metrics.UndefinedMetricWarning")

INVALID = (-1, -5)
AFFECT = st.floats(-1, 1, width=32)


def closed_form(y_true, y_pred):
    """Population CCC in extended precision."""
    t, p = np.asarray(y_true, np.longdouble), np.asarray(y_pred, np.longdouble)
    covariance = ((t - t.mean()) * (p - p.mean())).mean()
    return float(2 * covariance / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))


@st.composite
def expressions(draw):
    """Labels and predictions from few or many of the classes, invalid labels among them."""
    known = draw(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True))
    rows = st.tuples(st.sampled_from([*known, *INVALID]), st.sampled_from(known) | st.integers(0, 7))
    pairs = draw(st.lists(rows, max_size=60))
    return np.array([t for t, _ in pairs], dtype=np.int64), np.array([p for _, p in pairs], dtype=np.int64)


@st.composite
def action_units(draw):
    """Labels and decisions [N, 12]; whole columns may be absent or always present, rows may be invalid."""
    n = draw(st.integers(0, 25))
    labels = draw(arrays(np.int8, (n, 12), elements=st.integers(0, 1)))
    decisions = draw(arrays(np.int8, (n, 12), elements=st.integers(0, 1)))
    for values in (labels, decisions):
        fixed = draw(st.dictionaries(st.integers(0, 11), st.integers(0, 1), max_size=4))
        for column, value in fixed.items():
            values[:, column] = value
    for row in range(n):
        if draw(st.integers(0, 5)) == 0:
            labels[row, draw(st.integers(0, 11))] = draw(st.sampled_from(INVALID))
    return labels, decisions


@given(expressions())
def test_p_expr_and_accuracy_equal_scikit_learn(pair):
    y_true, y_pred = pair
    kept = y_true >= 0
    if not kept.any():
        assert p_expr(y_true, y_pred) == 0 and accuracy(y_true, y_pred) == 0
        return
    expected = f1_score(y_true[kept], y_pred[kept], labels=range(8), average="macro", zero_division=0)
    assert p_expr(y_true, y_pred) == pytest.approx(expected, abs=1e-12)
    assert accuracy(y_true, y_pred) == pytest.approx(accuracy_score(y_true[kept], y_pred[kept]), abs=1e-12)


@given(action_units())
def test_p_au_equals_scikit_learn(pair):
    y_true, y_pred = pair
    kept = (y_true >= 0).all(axis=1)
    if not kept.any():
        assert p_au(y_true, y_pred) == 0
        return
    expected = f1_score(y_true[kept], y_pred[kept], average="macro", zero_division=0)
    assert p_au(y_true, y_pred) == pytest.approx(expected, abs=1e-12)


@given(arrays(np.float32, st.tuples(st.integers(2, 40), st.just(2)), elements=AFFECT))
def test_ccc_uses_population_moments_throughout(values):
    y_true, y_pred = values.astype(np.float64).T
    if min(y_true.std(), y_pred.std()) < 1e-6:
        return
    assert ccc(y_true, y_pred) == pytest.approx(closed_form(y_true, y_pred), abs=1e-9)


def test_ccc_differs_from_the_mix_of_sample_covariance_and_population_variance():
    y_true, y_pred = np.array([0.0, 0.2, 0.5, 0.9]), np.array([0.1, 0.1, 0.6, 0.7])
    gap = (y_true.mean() - y_pred.mean()) ** 2
    mixed = 2 * np.cov(y_true, y_pred)[0, 1] / (y_true.var() + y_pred.var() + gap)
    assert ccc(y_true, y_pred) == pytest.approx(closed_form(y_true, y_pred), abs=1e-15)
    assert abs(ccc(y_true, y_pred) - mixed) > 0.1


def test_ccc_keeps_its_precision_far_from_zero():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=500)
    y_pred = y_true + rng.normal(size=500)
    assert ccc(y_true + 1e6, y_pred + 1e6) == pytest.approx(ccc(y_true, y_pred), rel=1e-8)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1 / 3])
def test_constant_output_is_undefined(constant):
    y_true = np.linspace(-1, 1, 1001)
    for pair in (
        (y_true, np.full(1001, constant)),
        (np.full(1001, constant), y_true),
        (np.full(1001, constant), np.full(1001, constant)),
    ):
        with pytest.warns(UndefinedMetricWarning, match="CCC"):
            assert ccc(*pair) == 0.0
    with pytest.warns(UndefinedMetricWarning, match="CCC of arousal"):
        assert p_va(np.stack([y_true, y_true], 1), np.stack([y_true, np.full(1001, constant)], 1)) == 0.5


@pytest.mark.parametrize("metric", [ccc, p_va, p_expr, p_au, accuracy])
def test_empty_set_is_undefined(metric):
    with pytest.warns(UndefinedMetricWarning):
        assert metric([], []) == 0.0


def test_absent_class_counts_as_zero_in_a_fixed_denominator():
    present = np.array([0, 1, 2, 3])
    with pytest.warns(UndefinedMetricWarning, match="F1 of Happiness, F1 of Sadness, F1 of Surprise, F1 of Other"):
        assert p_expr(present, present) == 0.5
    labels = np.zeros((4, 12), dtype=int)
    labels[:2, :6] = 1
    with pytest.warns(UndefinedMetricWarning, match="F1 of AU12, F1 of AU15"):
        assert p_au(labels, labels) == 0.5


def test_unpredicted_class_is_defined():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UndefinedMetricWarning)
        assert p_expr(np.arange(8), np.zeros(8, dtype=int)) == pytest.approx(2 / 9 / 8)


def test_rows_with_an_invalid_label_do_not_count():
    rng = np.random.default_rng(1)
    va, va_pred = rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, (44, 2))
    invalid = np.array([[-5, -5], [-5, 0.3], [0.3, -5], [-1.2, 0]])
    assert p_va(np.vstack([va, invalid]), va_pred) == p_va(va, va_pred[:40])
    assert p_va(np.full((5, 2), -5.0), np.ones((5, 2))) == 0
    expr, expr_pred = rng.integers(0, 8, 40), rng.integers(0, 8, 42)
    assert p_expr(np.append(expr, INVALID), expr_pred) == p_expr(expr, expr_pred[:40])
    au, au_pred = rng.integers(0, 2, (40, 12)), rng.integers(0, 2, (41, 12))
    assert p_au(np.vstack([au, [[1] * 11 + [-1]]]), au_pred) == p_au(au, au_pred[:40])


def test_label_of_exactly_minus_one_is_a_valid_affect():
    y_true = np.array([[-1.0, -1.0], [0.0, 0.5], [1.0, 0.5]])
    assert p_va(y_true, y_true) == pytest.approx(1)


def test_nan_without_valid_label_is_ignored():
    y_true, y_pred = np.array([[0.1, 0.2], [0.5, 0.4], [-5, -5]]), np.array([[0.1, 0.2], [0.5, 0.4], [np.nan, 0]])
    assert p_va(y_true, y_pred) == pytest.approx(1)


@settings(max_examples=30)
@given(expressions(), st.randoms(use_true_random=False))
def test_order_of_frames_does_not_matter(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    assert p_expr(pair[0][order], pair[1][order]) == p_expr(*pair)


def test_p_mtl_is_the_sum_over_each_tasks_own_rows():
    rng = np.random.default_rng(2)
    y_true = {"va": rng.uniform(-1, 1, (30, 2)), "expr": rng.integers(-1, 8, 30), "au": rng.integers(-1, 2, (30, 12))}
    y_true["au"][:20] = rng.integers(0, 2, (20, 12))
    y_true["va"][::3] = -5
    y_pred = {"va": rng.uniform(-1, 1, (30, 2)), "expr": rng.integers(0, 8, 30), "au": rng.integers(0, 2, (30, 12))}
    parts = [p_va(y_true["va"], y_pred["va"]), p_expr(y_true["expr"], y_pred["expr"]), p_au(y_true["au"], y_pred["au"])]
    assert p_mtl(y_true, y_pred) == pytest.approx(sum(parts)) and min(map(abs, parts)) > 0
    with pytest.raises(InputError, match="lack au"):
        p_mtl({"va": y_true["va"], "expr": y_true["expr"]}, y_pred)


@pytest.mark.parametrize(
    "metric, y_true, y_pred, message",
    [
        (ccc, [0.1, 0.2], [0.1], "2 labels but 1 predictions"),
        (ccc, [0.1, 0.2], [0.1, np.nan], "predictions contain NaN or infinity, first in row 1"),
        (ccc, [0.1, np.inf], [0.1, 0.2], "labels contain NaN or infinity, first in row 1"),
        (ccc, [[0.1, 0.2]], [[0.1, 0.2]], r"labels have shape \[1, 2\]; expected \[N\]"),
        (p_va, [[0.1, 0.2]], [[np.nan, 0.2]], "predictions contain NaN"),
        (p_va, [0.1, 0.2], [0.1, 0.2], r"expected \[N, 2\]"),
        (p_expr, [0, 8], [0, 1], "labels of expressions must be the class numbers 0 to 7; found 8"),
        (p_expr, [0, 1], [0, -1], "predictions of expressions must be the class numbers 0 to 7; found -1"),
        (p_expr, [0, 1], [0, 0.5], "found 0.5"),
        (p_expr, [0, 1], [0, np.nan], "found nan"),
        (p_au, [[1] * 12], [[0.7] * 12], "convert probabilities with Task.decode"),
        (p_au, [[2] * 12], [[1] * 12], "labels of action units must be 0 or 1"),
    ],
)
def test_wrong_input_is_named(metric, y_true, y_pred, message):
    with pytest.raises(InputError, match=message):
        metric(y_true, y_pred)


def test_softmax_subtracts_each_rows_own_maximum():
    logits = np.array([[1e4, 0, -1e4, 0, 0, 0, 0, 0], [-1e4] * 8, [1e4] * 8, range(8)], dtype=np.float64)
    probabilities = TASKS["expr"].activate(logits)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(probabilities[1], 1 / 8)
    assert probabilities[0, 0] == 1
