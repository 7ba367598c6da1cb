"""Coverage of 95% intervals on simulated sets with the class frequencies of Aff-Wild2; slow."""

import numpy as np
import pytest

from harness.bench.coverage import SEEDS, VIDEOS, measure_coverage, render
from harness.bench.simulated_sets import PRIOR, RARE_CLASSES, RARE_SHARE, Population, population_values, simulate

SETS, FIRST = 250, 500_000
"""Sets of each kind, other ones than in the table of the statistics page."""


@pytest.mark.slow
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("videos", VIDEOS)
def test_coverage_of_the_population_value(videos, seeds):
    for row in measure_coverage([videos], [seeds], SETS, FIRST):
        margin = 3 * np.sqrt(0.93 * 0.07 / SETS)
        assert row.coverage >= 0.93 - margin, row
        assert row.rare or row.coverage <= 0.98 + margin, row
        assert abs(row.corrected_bias) < abs(row.bias) or abs(row.bias) < 0.01, row


def test_rare_classes_are_in_few_videos():
    counts = simulate(Population(rare=True), np.random.default_rng(0), 20_000, 1)[0].arrays["expr"].sum(axis=2)
    for label in RARE_CLASSES:
        assert np.mean(counts[:, label] > 0) == pytest.approx(RARE_SHARE, rel=0.15)
        assert counts[:, label].sum() / counts.sum() == pytest.approx(PRIOR[label], rel=0.25)


def test_sets_are_of_the_population(monkeypatch):
    monkeypatch.setattr("harness.bench.simulated_sets.POPULATION_VIDEOS", 4000)
    truth = population_values(Population(), 1)
    assert truth["P_MTL"] == pytest.approx(truth["P_EXPR"] + truth["P_VA"] + truth["P_AU"])
    [row, *_] = measure_coverage([70], [1], 40)
    assert row.metric == "P_EXPR" and row.coverage >= 0.85 and abs(row.bias) < 0.03
    assert "| common | 1 | 70 |" in render([row], "md") and f"{row.coverage:.3f}" in render([row])
