"""All implementations of the scores against independent ones, including edge cases.

Expressions and action units: scikit-learn. Concordance: exact rational arithmetic on the float32 values.
"""

import warnings
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from harness.metrics import p_au, p_expr, p_mtl, p_va
from harness.metrics.pooled import PooledStatistics
from harness.metrics.pooled_scores import score
from harness.metrics.scores import UndefinedMetricWarning, accuracy
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.metrics.unit_statistics import compute_statistics
from tests.helpers.pooled_statistics import weighted_sums

CASES = 200
ROWS = (1, 2, 3, 5, 17, 60)


def expressions(rng, n):
    """Outputs [n, 8] and labels [n]: some classes absent, some rows invalid, sometimes all, outputs with ties."""
    known = rng.choice(8, rng.integers(1, 9), replace=False)
    labels = rng.choice(known, n)
    labels[rng.random(n) < rng.choice([0, 0.2, 1])] = -1
    outputs = rng.choice([0, 0.25, 0.5], (n, 8)) if rng.random() < 0.5 else rng.dirichlet(np.ones(8), n)
    if rng.random() < 0.2:
        outputs[:] = outputs[0]
    return outputs.astype(np.float32), labels


def affects(rng, n):
    """Outputs and labels [n, 2]: constant columns, invalid rows by either column, values on the ends."""
    labels = rng.choice([rng.uniform(-1, 1, (n, 2)), rng.integers(-1, 2, (n, 2)) / 1.0])
    outputs = np.clip(labels + rng.normal(0, rng.choice([0, 0.3]), (n, 2)), -1, 1)
    for values in (labels, outputs):
        for column in range(2):
            if rng.random() < 0.15:
                values[:, column] = rng.choice([0.1, -1, 0, 1 / 3])
    labels[rng.random(n) < rng.choice([0, 0.2, 1]), rng.integers(2)] = -5
    return outputs.astype(np.float32), labels.astype(np.float32)


def action_units(rng, n):
    """Outputs and labels [n, 12]: columns never or always present, outputs at the threshold, invalid rows."""
    labels, outputs = rng.integers(0, 2, (n, 12)), rng.choice([0, 0.3, 0.5, 0.7], (n, 12))
    for column in np.flatnonzero(rng.random(12) < 0.4):
        (labels if rng.random() < 0.5 else outputs)[:, column] = rng.integers(0, 2)
    labels[rng.random(n) < rng.choice([0, 0.2, 1]), rng.integers(12)] = -1
    return outputs.astype(np.float32), labels.astype(np.int8)


def expression_reference(outputs, labels):
    kept, predicted = labels >= 0, outputs.argmax(axis=1)
    truth, predicted = labels[kept], predicted[kept]
    if not len(truth):
        return {"accuracy": 0, **dict.fromkeys([f"F1/{name}" for name in EXPRESSIONS], 0)}, {
            "accuracy",
            *(f"F1/{name}" for name in EXPRESSIONS),
        }
    counts = confusion_matrix(truth, predicted, labels=range(8))
    values = f1_score(truth, predicted, labels=range(8), average=None, zero_division=0)
    absent = {f"F1/{name}" for name, i in zip(EXPRESSIONS, range(8)) if not counts[i].sum() + counts[:, i].sum()}
    return {
        "accuracy": accuracy_score(truth, predicted),
        **{f"F1/{name}": value for name, value in zip(EXPRESSIONS, values)},
    }, absent


def affect_reference(outputs, labels):
    kept = (labels >= -1).all(axis=1)
    values, undefined = {}, set()
    for i, name in enumerate(("CCC_V", "CCC_A")):
        t, p = ([Fraction(float(value)) for value in side[kept, i]] for side in (labels, outputs))
        n = len(t)
        if len(set(t)) < 2 or len(set(p)) < 2:
            values[name] = 0.0
            undefined.add(name)
            continue
        mean_t, mean_p = sum(t) / n, sum(p) / n
        both = sum((a - mean_t) * (b - mean_p) for a, b in zip(t, p))
        apart = sum((a - mean_t) ** 2 for a in t) + sum((b - mean_p) ** 2 for b in p) + n * (mean_t - mean_p) ** 2
        values[name] = float(2 * both / apart)
    return values, undefined


def action_unit_reference(outputs, labels):
    kept = (labels >= 0).all(axis=1)
    truth, predicted = labels[kept], (outputs[kept] >= 0.5).astype(int)
    names = [f"F1/{name}" for name in ACTION_UNITS]
    if not len(truth):
        return dict.fromkeys(names, 0), set(names)
    values = f1_score(truth, predicted, average=None, zero_division=0)
    absent = {name for name, t, p in zip(names, truth.T, predicted.T) if not t.any() and not p.any()}
    return dict(zip(names, values)), absent


@cache
def case(number):
    """The number of rows, outputs and labels by output of one case, and what they score."""
    rng = np.random.default_rng(number)
    n = int(rng.choice(ROWS))
    made = {"va": affects(rng, n), "expr": expressions(rng, n), "au": action_units(rng, n)}
    references = {"va": affect_reference, "expr": expression_reference, "au": action_unit_reference}
    return n, made, {name: references[name](*pair) for name, pair in made.items()}


def means(parts):
    p_va_, p_expr_ = np.mean([*parts["va"].values()]), np.mean([v for k, v in parts["expr"].items() if k != "accuracy"])
    p_au_ = np.mean([*parts["au"].values()])
    return {"P_VA": p_va_, "P_EXPR": p_expr_, "P_AU": p_au_, "P_MTL": p_va_ + p_expr_ + p_au_}


def told(function, *arguments):
    """A score and the names its warning lists."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UndefinedMetricWarning)
        value = function(*arguments)
    listed = [str(one.message).removeprefix("undefined, counted as 0: ").split(", ") for one in caught]
    return value, {name for names in listed for name in names}


def test_random_cases_equal_scikit_learn_and_exact_arithmetic():
    for number in range(CASES):
        _, made, references = case(number)
        expected = means({name: values for name, (values, _) in references.items()})
        outputs = {name: pair[0] for name, pair in made.items()}
        labels = {name: pair[1] for name, pair in made.items()}
        decided = {"va": outputs["va"], "expr": outputs["expr"].argmax(1), "au": (outputs["au"] >= 0.5).astype(int)}
        for function, name in ((p_va, "va"), (p_expr, "expr"), (p_au, "au")):
            value, undefined = told(function, labels[name], decided[name])
            assert value == pytest.approx(expected[f"P_{name.upper()}"], abs=1e-9), number
            assert undefined == {said(one) for one in references[name][1] if one != "accuracy"}, number
        assert told(accuracy, labels["expr"], decided["expr"])[0] == pytest.approx(references["expr"][0]["accuracy"])
        assert told(p_mtl, labels, decided)[0] == pytest.approx(expected["P_MTL"], abs=1e-9)


def said(name):
    """The words of a warning for a metric's name."""
    return {"CCC_V": f"CCC of {AFFECTS[0]}", "CCC_A": f"CCC of {AFFECTS[1]}"}.get(name, name.replace("F1/", "F1 of "))


def test_statistics_of_units_sum_to_the_same_scores_and_name_the_same_as_undefined():
    for number in range(CASES):
        rng, (n, made, references) = np.random.default_rng([number, 1]), case(number)
        expected = means({name: values for name, (values, _) in references.items()})
        units = int(rng.integers(1, 6))
        outputs = np.concatenate([made[name][0] for name in ("va", "expr", "au")], axis=1)
        statistics = compute_statistics(
            "mtl", outputs, {name: pair[1] for name, pair in made.items()}, rng.integers(0, units, n), units
        )
        found = score(statistics)
        everything = expected | {k: v for values, _ in references.values() for k, v in values.items()}
        assert found.metrics == pytest.approx(everything, abs=1e-9), number
        assert set(found.undefined) == set().union(*(undefined for _, undefined in references.values())), number
        pooled = PooledStatistics([statistics])
        resampled = pooled.metrics(weighted_sums(pooled, np.ones((1, pooled.shape[2]))))
        assert {name: value[0, 0] for name, value in resampled.items()} == pytest.approx(everything, abs=1e-7), number


def test_drawn_set_of_units_is_scored_by_the_same_rule():
    """A class that no drawn unit shows, and a unit whose output is constant, count as 0 there too."""
    for number in range(CASES):
        rng, (n, made, _) = np.random.default_rng([number, 2]), case(number)
        unit = rng.integers(0, 4, n)
        outputs = np.concatenate([made[name][0] for name in ("va", "expr", "au")], axis=1)
        labels = {name: pair[1] for name, pair in made.items()}
        pooled = PooledStatistics([compute_statistics("mtl", outputs, labels, unit, 4)])
        held = np.flatnonzero(pooled.has_rows)
        times = rng.integers(0, 3, len(held))
        rows = np.concatenate(
            [np.zeros(0, int), *(np.tile(np.flatnonzero(unit == one), count) for one, count in zip(held, times))]
        )
        expected = score(
            compute_statistics("mtl", outputs[rows], {k: v[rows] for k, v in labels.items()}, unit[rows], 4)
        ).metrics
        drawn = pooled.metrics(weighted_sums(pooled, times[None]))
        assert {name: value[0, 0] for name, value in drawn.items()} == pytest.approx(expected, abs=1e-7), number
