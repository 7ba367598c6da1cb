"""Scores that round to zero are printed without a sign."""

import numpy as np
import pytest

from harness.export.registry.log_model import _tags
from harness.jobs.figures.intervals import format_interval as format_figure_interval
from harness.leaderboard.columns import format_interval, format_number
from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from tests.helpers.records import record


@pytest.mark.parametrize("value", [-0.0, -0.0001, np.float32(-1e-9)])
def test_number_near_zero_has_no_sign(value):
    assert format_number(value) == "0.000"
    assert format_interval(value, value, "-") == "0.000 to 0.000"
    assert format_interval(value, value, " ") == " 0.000 to 0.000"
    assert format_figure_interval([value, value]) == " [0.00, 0.00]"


@pytest.mark.parametrize("form", ["table", "md", "csv"])
def test_board_has_no_negative_zero(form):
    rows = leaderboard_rows([record(value=-1e-7, ci_low=-2e-7, ci_high=-0.0, unsmoothed={"P_EXPR": -1e-7})])
    assert "-0.000" not in render(rows, form)


def test_tag_of_a_model_has_no_negative_zero(tmp_path):
    (tmp_path / "model.onnx").touch()
    assert _tags(record(value=-1e-7), tmp_path / "model.onnx")["framelight.value"] == "0.000000"
