"""Single panels of figures, checked by their pixels and data."""

import numpy as np
import pytest

from harness.jobs.figures.classification import draw_f1
from harness.jobs.figures.intervals import change_interval, metric_interval, ratio_interval
from harness.jobs.figures.reliability import CalibrationBins
from harness.jobs.figures.scored_run import ScoredRun
from harness.jobs.figures.smoothing_curve import draw_smoothing, select_knots
from harness.jobs.figures.traces import draw_traces, score_videos, select_videos
from harness.metrics.intervals import confidence_interval
from harness.metrics.paired_tests import paired_permutation_test
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.plotting.style import ALARM, CLASS_COLORS
from tests.helpers.scored_runs import amount, pixels, scored_run

BAR = "#a2d6f3"
"""Of the bars of F1 on white."""


def test_intervals_match_the_board_with_fewer_replicates():
    _, replay, _, statistics = scored_run("expr", units=30)
    for metric in ("P_EXPR", "F1/Anger"):
        board = confidence_interval([statistics], metric)
        ends = metric_interval(statistics, metric)
        np.testing.assert_allclose(ends, (board.low, board.high), atol=0.1 * (board.high - board.low))
    wider = replay.statistics("mean", 6, 0.5)
    test = paired_permutation_test([wider], [statistics], "P_EXPR")
    np.testing.assert_allclose(
        change_interval(wider, statistics, "P_EXPR"), (test.low, test.high), atol=0.1 * (test.high - test.low)
    )


def test_ratio_interval_equals_score_interval():
    """Accuracy is also a ratio of sums and has an interval."""
    counts = scored_run("expr", units=30)[3].arrays["expr"]
    right, rows = np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))
    board = confidence_interval([SufficientStatistics("expr", {"expr": counts})], "accuracy")
    np.testing.assert_allclose(ratio_interval(right[:, None], rows[:, None])[:, 0], (board.low, board.high), atol=1e-6)


def test_fewer_than_two_units_have_no_interval():
    one = scored_run("expr", units=1)[3]
    assert np.isnan(metric_interval(one, "P_EXPR")).all() and np.isnan(change_interval(one, one, "P_EXPR")).all()
    whole, part = np.array([[4, 4, 0], [4, 0, 0], [2, 0, 0]]), np.array([[4, 2, 0], [1, 0, 0], [2, 0, 0]])
    bounds = ratio_interval(part, whole)
    assert 0 <= bounds[0, 0] < 0.7 < bounds[1, 0] <= 1 and np.isnan(bounds[:, 1:]).all()
    assert np.isnan(ratio_interval(part[:1], whole[:1])).all()


def test_undefined_class_is_marked_and_a_bar_is_as_long_as_its_score(tmp_path):
    drawn = {}
    for noise in (0.0, 6.0):
        draw_f1(tmp_path / "f1.png", ScoredRun(*scored_run(noise=noise, largest=0)))
        drawn[noise] = amount(tmp_path / "f1.png", BAR)
    assert drawn[0.0] > 1.5 * drawn[6.0] > 0
    assert amount(tmp_path / "f1.png", ALARM) == 0
    neutral = np.zeros(240, np.int64)
    alone = scored_run(targets={"expr": neutral}, outputs=np.eye(8, dtype=np.float32)[neutral])
    draw_f1(tmp_path / "f1.png", ScoredRun(*alone))
    assert len(alone[0].undefined) == 7 and amount(tmp_path / "f1.png", ALARM) > 100


def test_best_median_and_worst_video_are_drawn():
    values = np.array([0.2, np.nan, 0.9, 0.5, 0.4, 0.1, 1.0])
    frames = np.array([30, 30, 30, 30, 30, 30, 3])
    shown = select_videos(values, frames)
    assert [(one.unit, one.place) for one in shown] == [(2, "best of 5"), (4, "median of 5"), (5, "worst of 5")]
    assert [one.unit for one in select_videos(values[:3], frames[:3])] == [2, 0]
    assert [(one.unit, one.place) for one in select_videos(values[:1], frames[:1])] == [(0, "only video")]
    assert [one.unit for one in select_videos(np.full(3, np.nan), np.array([4, 9, 5]))] == [1]
    assert [one.unit for one in select_videos(np.array([0.5, 0.6]), np.array([3, 4]))] == [1, 0], (
        "all of them are short"
    )


def test_videos_are_ranked_by_defined_metrics():
    rows, half = 80, 40
    labels = np.repeat([0, 3], half)
    right = np.where(np.arange(rows) % half < [30] * half + [10] * half, labels, 7)
    values, measure = score_videos(
        ScoredRun(*scored_run(units=2, largest=0, targets={"expr": labels}, outputs=np.eye(8, dtype=np.float32)[right]))
    )
    assert measure == "accuracy" and values.tolist() == [0.75, 0.25]
    affect = np.tile(np.linspace(-0.5, 0.5, half)[:, None], (2, 2)).astype(np.float32)
    outputs = affect.copy()
    outputs[half:] = 0.3
    values, _ = score_videos(ScoredRun(*scored_run("va", units=2, largest=0, targets={"va": affect}, outputs=outputs)))
    assert values[0] == pytest.approx(1) and np.isnan(values[1]), "a constant has no concordance"


def test_timeline_colors_match_labels_and_decisions(tmp_path):
    rows, shown = 40, []
    for decided in (3, 5):
        run = scored_run(
            units=1,
            frames=rows,
            largest=0,
            targets={"expr": np.full(rows, 1, np.int64)},
            outputs=np.eye(8, dtype=np.float32)[np.full(rows, decided)],
        )
        draw_traces(tmp_path / "traces.png", ScoredRun(*run))
        shown.append({number: amount(tmp_path / "traces.png", CLASS_COLORS[number]) for number in (1, 3, 5)})
    assert shown[0][1] == shown[1][1] > 10_000, "the truth, once"
    assert shown[0][3] > 20_000 > 2_000 > shown[1][3], "raw and smoothed; else only the legend"
    assert shown[1][5] > 20_000 > 2_000 > shown[0][5] - shown[1][1]


def test_long_gaps_are_white_and_short_ones_are_bridged(tmp_path):
    def width_of(kept):
        labels = np.full(100, 4, np.int64)
        run = scored_run(
            units=1,
            frames=100,
            largest=0,
            kept=kept,
            targets={"expr": labels},
            outputs=np.eye(8, dtype=np.float32)[labels],
        )
        draw_traces(tmp_path / "traces.png", ScoredRun(*run))
        wanted = [int(CLASS_COLORS[4][at : at + 2], 16) for at in (1, 3, 5)]
        return int((np.abs(pixels(tmp_path / "traces.png") - wanted) <= 1).all(axis=-1).sum(axis=1).max())

    whole = width_of(range(1, 101))
    assert width_of([frame for frame in range(1, 101) if frame not in (50, 51)]) == whole
    assert width_of([frame for frame in range(1, 101) if not 30 <= frame < 70]) == pytest.approx(0.65 * whole, rel=0.05)


def test_bands_cover_both_ends_and_the_selected_radius(tmp_path):
    for radii, radius in ((np.arange(201), 77), (np.arange(3), 1), (np.arange(5, 60), 5)):
        knots = select_knots(radii, radius)
        assert {radii[0], radius, radii[-1]} <= set(knots) <= set(radii) and len(knots) <= 15
    record, replay, choice, statistics = scored_run()
    first = tmp_path / "a.png"
    draw_smoothing(first, ScoredRun(record, replay, choice, statistics))
    record.curve["mean"]["selected"][2] += 0.05
    draw_smoothing(tmp_path / "b.png", ScoredRun(record, replay, choice, statistics))
    assert first.read_bytes() != (tmp_path / "b.png").read_bytes(), "the selection split has its curve"


def test_calibration_error_example():
    """Two bins: 0.95 said, 3 of 4 right; 0.55 said, 1 of 2 right: (4 * 0.2 + 2 * 0.05) / 6."""
    said = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    bins = CalibrationBins.from_values(said, np.array([1, 1, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 1, 1]), 2, 0.0)
    assert bins.calibration_error == pytest.approx(0.9 / 6)
    assert bins.sums[:, 9, 0].tolist() == [2, 2] and bins.sums[:, 5, 0].tolist() == [0, 2]
    ends = CalibrationBins.from_values(np.array([-1.0, 1.0]), np.zeros(2), np.zeros(2, int), 1, -1.0)
    assert ends.pooled[[0, -1], 0].tolist() == [1, 1]
