"""Counts of labels, and metrics without rare classes, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.metrics import p_va
from harness.metrics.rare_classes import MIN_LABELS, rare_classes, score_without
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS, TASKS
from harness.metrics.unit_statistics import SufficientStatistics, compute_statistics

ROWS = 400


def labels_and_outputs(task, seed=0):
    """Labels in which expressions 2, 5 and 7 and action units 0 and 6 are rare, some rows invalid, and outputs."""
    random = np.random.default_rng(seed)
    expr = random.choice([0, 1, 3, 4, 6], ROWS)
    expr[:19] = [2] * 9 + [5] * 8 + [7] * 2
    expr[19:29] = -1
    au = random.integers(0, 2, (ROWS, 12)).astype(np.int8)
    au[:, [0, 6]] = 0
    au[:9, 0] = 1
    au[30] = -1
    va = random.uniform(-1, 1, (ROWS, 2)).astype(np.float32)
    targets = {"expr": expr, "va": va, "au": au}
    exact = {"expr": np.eye(8)[expr.clip(0)], "va": va, "au": au.clip(0)}
    names = [output.name for output in TASKS[task].outputs]
    blocks = [0.3 * exact[name] + 0.7 * random.random(exact[name].shape) for name in names]
    return {name: targets[name] for name in names}, np.concatenate(blocks, axis=1)


def statistics_of(task, seed=0):
    targets, outputs = labels_and_outputs(task, seed)
    return targets, outputs, compute_statistics(task, outputs, targets, np.arange(ROWS) % 7, units=7)


def expression_reference(targets, outputs, classes):
    valid = targets["expr"] >= 0
    predicted = TASKS["expr"].decode(outputs[:, :8])["expr"]
    return f1_score(targets["expr"][valid], predicted[valid], labels=classes, average="macro", zero_division=0)


def unit_reference(targets, outputs, units):
    valid = (targets["au"] >= 0).all(axis=1)
    predicted = TASKS["au"].decode(outputs[:, -12:])["au"]
    return f1_score(targets["au"][valid], predicted[valid], labels=units, average="macro", zero_division=0)


@pytest.mark.parametrize("seed", range(5))
def test_expressions(seed):
    targets, outputs, statistics = statistics_of("expr", seed)
    rare = rare_classes(statistics)
    assert rare == {f"F1/{EXPRESSIONS[2]}": 9, f"F1/{EXPRESSIONS[5]}": 8, f"F1/{EXPRESSIONS[7]}": 2}
    expected = expression_reference(targets, outputs, [0, 1, 3, 4, 6])
    assert score_without(statistics, "P_EXPR", rare) == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(expression_reference(targets, outputs, range(8)), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_action_units(seed):
    targets, outputs, statistics = statistics_of("au", seed)
    rare = rare_classes(statistics)
    assert rare == {f"F1/{ACTION_UNITS[0]}": 9, f"F1/{ACTION_UNITS[6]}": 0}
    expected = unit_reference(targets, outputs, [i for i in range(12) if i not in (0, 6)])
    assert score_without(statistics, "P_AU", rare) == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(unit_reference(targets, outputs, range(12)), abs=1e-3)


def test_multi_task_is_the_sum_without_rare_classes_of_both_outputs():
    targets, outputs, statistics = statistics_of("mtl")
    rare = rare_classes(statistics)
    assert len(rare) == 5
    columns = TASKS["mtl"].slices()
    expected = (
        p_va(targets["va"], outputs[:, columns["va"]])
        + expression_reference(targets, outputs[:, columns["expr"]], [0, 1, 3, 4, 6])
        + unit_reference(targets, outputs[:, columns["au"]], [i for i in range(12) if i not in (0, 6)])
    )
    assert score_without(statistics, "P_MTL", rare) == pytest.approx(expected, abs=1e-9)
    assert score_without(statistics, "P_MTL", [f"F1/{name}" for name in EXPRESSIONS]) is None


def test_ten_labels_are_enough_and_a_task_without_classes_has_no_rare_ones():
    confusion = np.diag(np.arange(MIN_LABELS - 4, MIN_LABELS + 4))[None]
    rare = rare_classes(SufficientStatistics("expr", {"expr": confusion}))
    assert list(rare.values()) == [6, 7, 8, 9]
    assert rare_classes(statistics_of("va")[2]) == {}
    assert score_without(SufficientStatistics("expr", {"expr": confusion}), "P_EXPR", rare) == 1
    assert score_without(statistics_of("au")[2], "P_AU", [f"F1/{name}" for name in ACTION_UNITS]) is None
