"""Simulated boards: error rate, luck and power of the test that boards apply are what the boards say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.bench.errors import HEADER, LEADS, ROWS, ErrorRow, measure_false_positives, measure_power, render
from harness.bench.simulated_boards import SimulatedRows, simulate_board
from harness.cli import main
from harness.metrics.contributions import RowScores
from harness.metrics.tasks import TASKS

ROW = ErrorRow("expr", 12, 5, True, 0.05, 0.021, 0.021, 0.02, 0.151, 0.8, 0.03, 0.78)


def wald_margin(share, number):
    return 2 * np.sqrt(share * (1 - share) / number)


@pytest.mark.parametrize("task", LEADS)
def test_simulated_rows_share_videos_and_the_first_leads(task):
    scores = RowScores(simulate_board(task, np.random.default_rng(0), 2000, SimulatedRows(3, LEADS[task][3])))
    values = scores.scores(TASKS[task].metric)
    assert values[0] > max(values[1:]) + 0.05 and abs(values[1] - values[2]) < 0.01
    labels = {"expr": range(8, 16), "va": (0, 1, 3, 6, 7, 9), "au": range(12, 24)}[task]
    np.testing.assert_array_equal(scores.counts[0, list(labels)], scores.counts[1, list(labels)])


def test_families_have_similar_errors():
    board = simulate_board("expr", np.random.default_rng(0), 200, SimulatedRows(12, families=True))
    contributions = RowScores(board).contributions("P_EXPR", np.arange(12))
    related = np.corrcoef(contributions)
    assert related[0, 1:6].mean() > related[0, 6:].mean() + 0.3


def test_table_has_a_line_for_each_kind_of_board():
    assert render([ROW, ROW], "md").count("\n| P_EXPR, families | 12 | 5 | 5.0% ± 2.1 |") == 2
    assert render([ROW], "md").endswith("| 0.151 | 80% ± 3 | 78% |")
    assert render([replace(ROW, detectable=None, power=None, population_power=None)], "md").endswith("| - | - | - |")
    assert json.loads(render([ROW], "json"))[0]["power"] == 0.8
    assert all(word in render([ROW]) for word in (*HEADER, "80%"))


def test_command_prints_the_table(capsys, monkeypatch):
    monkeypatch.setattr("harness.bench.errors.measure_rows", lambda: [ROW])
    assert main(["bench", "errors", "--format", "md"]) == 0
    assert "| P_EXPR, families |" in capsys.readouterr().out
    assert main(["bench", "errors", "--save"]) == 2


def test_equal_rows_are_found_worse_in_about_5_percent():
    for row in measure_false_positives("expr", 12, (2, 12), 150):
        assert abs(row.false_positives - 0.05) <= wald_margin(0.05, 150)
        assert row.expected_luck == pytest.approx(row.luck, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("videos", [12, 70])
@pytest.mark.parametrize("task", LEADS)
def test_family_wise_error_of_2_to_60_rows(task, videos):
    for row in measure_false_positives(task, videos, ROWS, 400):
        assert 0.03 - row.margin <= row.false_positives <= 0.065 + row.margin, row
        assert row.margin < 0.03 and row.expected_luck == pytest.approx(row.luck, rel=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("task", LEADS)
def test_family_wise_error_of_rows_in_families(task):
    for row in measure_false_positives(task, 70, (12, 30), 300, families=True):
        assert 0.03 - row.margin <= row.false_positives <= 0.065 + row.margin, row


@pytest.mark.slow
@pytest.mark.parametrize("videos, rows", [(12, 2), (12, 12), (70, 2), (70, 12), (70, 30)])
@pytest.mark.parametrize("task", LEADS)
def test_detectable_difference_is_found_in_80_percent(task, videos, rows):
    row = measure_power(ErrorRow(task, videos, rows, False, 0, 0, 0, 0), 100)
    assert abs(row.power - 0.8) <= 0.08 + row.power_margin < 0.2, row
