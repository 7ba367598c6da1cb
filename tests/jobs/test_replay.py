"""Replay of saved predictions, and selection of the postprocessing."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import SmoothingGrid
from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.jobs.selection import select_postprocessing
from harness.metrics import p_au, p_expr, p_va
from harness.metrics.tasks import get_task
from harness.smoothing import smooth
from harness.smoothing.gaps import fill_gaps


def labelled(task_name, frames, targets):
    """Rows of videos `v0`, `v1`...: frames and targets by video."""
    names = tuple(f"v{i}" for i in range(len(frames)))
    video = np.repeat(np.arange(len(frames), dtype=np.int32), [len(f) for f in frames])
    return Labels(
        names, video, np.concatenate(frames).astype(np.int32), names, video, names, {task_name: np.concatenate(targets)}
    )


def predicted(frames, outputs):
    return Predictions(
        tuple(f"v{i}" for i in range(len(frames))),
        np.array([len(f) for f in frames]),
        np.concatenate(frames).astype(np.int32),
        np.concatenate(outputs).astype(np.float32),
    )


def random_expr(random, videos=3, length=30, missing=0.3):
    crops = [
        np.sort(random.choice(np.arange(1, length + 1), int(length * (1 - missing)), replace=False))
        for _ in range(videos)
    ]
    outputs = [random.dirichlet(np.ones(8), len(c)) for c in crops]
    frames = [np.arange(1, length + 1) for _ in range(videos)]
    targets = [random.integers(-1, 8, length) for _ in range(videos)]
    return crops, outputs, frames, targets


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["mean", "median"]), st.integers(0, 9))
def test_replayed_score_equals_reference(seed, kernel, radius):
    random = np.random.default_rng(seed)
    crops, outputs, frames, targets = random_expr(random)
    replay = Replay(get_task("expr"), predicted(crops, outputs), labelled("expr", frames, targets), temporal=True)
    said = replay.metric_curve(kernel, [radius], 0.5)[0]
    truth, guess = [], []
    for c, o, f, t in zip(crops, outputs, frames, targets):
        dense = smooth(fill_gaps(c, o.astype(np.float32), int(c[-1])), kernel, radius)
        scored = np.isin(f, c) & (t >= 0)
        truth.append(t[scored])
        guess.append(dense[f[scored] - 1].argmax(axis=1))
    assert said == pytest.approx(p_expr(np.concatenate(truth), np.concatenate(guess)), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["mean", "median"]), st.integers(0, 250))
def test_crops_beyond_the_reach_of_any_window_change_no_score(seed, kernel, radius):
    random = np.random.default_rng(seed)
    crops, outputs, frames, targets = random_expr(random, videos=2, length=700)
    targets = [np.where(f <= last, t, -1) for f, t, last in zip(frames, targets, random.integers(0, 700, 2))]
    labels = labelled("expr", frames, targets)
    replay = Replay(get_task("expr"), predicted(crops, outputs), labels, temporal=True)
    counted = np.zeros((8, 8))
    for c, o, f, t in zip(crops, outputs, frames, targets):
        dense = smooth(fill_gaps(c, o.astype(np.float32), int(c[-1])), kernel, radius)
        scored = np.isin(f, c) & (t >= 0)
        np.add.at(counted, (t[scored], dense[f[scored] - 1].argmax(axis=1)), 1)
    assert replay.statistics(kernel, radius, 0.5).arrays["expr"].sum(axis=0).tolist() == counted.tolist()


def test_stray_crop_of_a_high_number_costs_no_memory():
    crops, outputs = [np.array([1, 2, 3, 20_220_315]), np.array([1, 3])], [np.eye(8)[:4], np.eye(8)[:2]]
    labels = labelled("expr", [np.arange(1, 4), np.arange(1, 4)], [np.arange(3), np.array([0, 0, 1])])
    tracemalloc.start()
    replay = Replay(get_task("expr"), predicted(crops, outputs), labels, temporal=True)
    assert replay.metric_curve("mean", [0, 250], 0.5)[0] == pytest.approx(3 / 8)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_coverage_counts_annotated_frames_without_crop():
    labels = labelled("expr", [np.arange(1, 11)], [np.array([0, 1, 2, 3, 4, 5, 6, 7, -1, -1])])
    replay = Replay(
        get_task("expr"), predicted([np.array([1, 2, 3, 4, 9])], [np.eye(8)[[0, 1, 2, 3, 0]]]), labels, True
    )
    assert (replay.annotated, replay.scored, replay.coverage) == (8, 4, 0.5)


def test_annotated_video_without_crop_lowers_coverage_only():
    labels = labelled("expr", [np.arange(1, 4), np.arange(1, 4)], [np.arange(3), np.arange(3)])
    none = np.zeros(0, np.int32)
    replay = Replay(
        get_task("expr"), predicted([np.arange(1, 4), none], [np.eye(8)[:3], np.zeros((0, 8))]), labels, True
    )
    assert replay.coverage == 0.5
    assert replay.units == ("v0",)
    assert replay.metric_curve("mean", [0], 0.5) == [pytest.approx(3 / 8)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["none", "mean", "median"]),
    st.integers(0, 9),
    st.sampled_from(["linear", "nearest", "published"]),
)
def test_filled_rows_are_scored_as_the_dense_sequence_has_them(seed, kernel, radius, gaps):
    random = np.random.default_rng(seed)
    crops, outputs, frames, targets = random_expr(random)
    frames = [np.arange(1, len(f) + 7) for f in frames]
    targets = [np.concatenate([t, random.integers(0, 8, 6)]) for t in targets]
    replay = Replay(
        get_task("expr"), predicted(crops, outputs), labelled("expr", frames, targets), True, gaps, "filled"
    )
    expected = []
    for c, o, f, t in zip(crops, outputs, frames, targets):
        dense = smooth(fill_gaps(c, o.astype(np.float32), int(c[-1]), gaps), kernel, radius)
        expected.append(dense[np.minimum(f[t >= 0], c[-1]) - 1])
    expected, truth = np.concatenate(expected), np.concatenate(targets)
    np.testing.assert_allclose(replay.smoothed_outputs(kernel, radius), expected, atol=1e-12)
    assert replay.scored == replay.annotated == (truth >= 0).sum() and replay.coverage < 1
    assert next(replay.iter_scores(kernel, [radius], 0.5)).metrics["P_EXPR"] == pytest.approx(
        p_expr(truth[truth >= 0], expected.argmax(axis=1)), abs=1e-12
    )


def test_video_without_crop_is_filled_with_the_mean_of_all():
    labels = labelled("expr", [np.arange(1, 4), np.arange(1, 4)], [np.arange(3), np.arange(3)])
    crops, none = np.eye(8)[[0, 0, 1]], np.zeros(0, np.int32)
    for kept in (predicted([np.arange(1, 4), none], [crops, np.zeros((0, 8))]), predicted([np.arange(1, 4)], [crops])):
        replay = Replay(get_task("expr"), kept, labels, True, missing="filled")
        assert (replay.coverage, replay.scored, replay.units) == (0.5, 6, ("v0", "v1"))
        np.testing.assert_allclose(replay.smoothed_outputs("mean", 0)[3:], np.tile(crops.mean(axis=0), (3, 1)))
        np.testing.assert_array_equal(replay.raw_outputs()[:3], crops)


def test_stills_without_crop_are_never_filled():
    labels = labelled("expr", [np.arange(1, 5)], [np.arange(4)])
    kept = predicted([np.array([1, 3])], [np.eye(8)[:2]])
    replay = Replay(get_task("expr"), kept, labels, temporal=False, missing="filled")
    assert (replay.scored, replay.annotated, replay.coverage) == (2, 4, 0.5)
    np.testing.assert_array_equal(replay.smoothed_outputs("mean", 7), np.eye(8)[:2])


def test_smoothed_rows_are_those_that_are_counted():
    random = np.random.default_rng(5)
    crops, outputs, frames, targets = random_expr(random)
    replay = Replay(get_task("expr"), predicted(crops, outputs), labelled("expr", frames, targets), temporal=True)
    smoothed = replay.smoothed_outputs("mean", 3)
    counted = np.zeros((len(replay.units), 8, 8))
    np.add.at(counted, (replay.unit, replay.targets["expr"], smoothed.argmax(axis=1)), 1)
    assert smoothed.shape == (replay.scored, 8)
    assert replay.statistics("mean", 3, 0.5).arrays["expr"].tolist() == counted.tolist()
    np.testing.assert_array_equal(replay.raw_outputs(), replay.smoothed_outputs("none", 0))


@pytest.mark.parametrize("missing", ["dropped", "filled"])
@pytest.mark.parametrize("kernel", ["mean", "median"])
def test_statistics_of_many_radii_are_those_of_each(kernel, missing):
    crops, outputs, frames, targets = random_expr(np.random.default_rng(6))
    replay = Replay(
        get_task("expr"), predicted(crops, outputs), labelled("expr", frames, targets), True, missing=missing
    )
    radii = [0, 1, 4, 9, 40]
    together = [counted.arrays["expr"].tolist() for counted in replay.iter_statistics(kernel, radii, 0.5)]
    assert together == [replay.statistics(kernel, radius, 0.5).arrays["expr"].tolist() for radius in radii]
    assert len({str(counted) for counted in together}) > 3


def test_duplicate_rows_count_twice():
    labels = labelled("expr", [np.array([1, 1, 2])], [np.array([0, 0, 1])])
    replay = Replay(get_task("expr"), predicted([np.array([1, 2])], [np.eye(8)[[0, 0]]]), labels, True)
    assert replay.scored == 3
    assert replay.metric_curve("mean", [0], 0.5) == [pytest.approx(p_expr([0, 0, 1], [0, 0, 0]))]


def test_stills_are_not_smoothed():
    random = np.random.default_rng(0)
    crops, outputs, frames, targets = random_expr(random, missing=0)
    replay = Replay(get_task("expr"), predicted(crops, outputs), labelled("expr", frames, targets), temporal=False)
    assert replay.metric_curve("mean", [0], 0.5) == replay.metric_curve("mean", [5], 0.5)


def test_selection_prefers_the_smallest_best_radius():
    outputs = np.zeros((20, 2))
    outputs[:, 0] = np.sin(np.arange(20)) * 0.5
    labels = labelled("va", [np.arange(1, 21)], [np.stack([outputs[:, 0], np.zeros(20)], 1).astype(np.float32)])
    choice = select_postprocessing(
        Replay(get_task("va"), predicted([np.arange(1, 21)], [outputs]), labels, True), SmoothingGrid(largest=5)
    )
    assert (choice.kernel, choice.radius, choice.thresholds) == ("none", 0, None)
    assert set(choice.curves) == {"mean", "median"} and len(choice.curves["mean"]) == 6
    assert choice.value == pytest.approx(p_va(labels.targets["va"], outputs.astype(np.float32)))


def test_selection_finds_the_best_smoothing():
    random = np.random.default_rng(1)
    truth = np.repeat([0, 4, 2, 6], 50)
    outputs = np.eye(8)[truth] * 0.4 + random.random((200, 8)) * 0.9
    labels = labelled("expr", [np.arange(1, 201)], [truth])
    choice = select_postprocessing(
        Replay(get_task("expr"), predicted([np.arange(1, 201)], [outputs]), labels, True), SmoothingGrid(largest=20)
    )
    assert choice.radius > 2
    assert choice.value > choice.curves["mean"][0] + 0.1


def test_thresholds_are_selected_before_smoothing():
    random = np.random.default_rng(2)
    truth = (random.random((300, 12)) < 0.3).astype(np.int8)
    truth[:, 9] = 0
    outputs = truth * 0.15 + 0.23 + random.uniform(-0.01, 0.01, truth.shape)
    labels = labelled("au", [np.arange(1, 301)], [truth])
    replay = Replay(get_task("au"), predicted([np.arange(1, 301)], [outputs]), labels, True)
    choice = select_postprocessing(replay, SmoothingGrid(largest=3))
    assert choice.thresholds[9] == 0.5
    assert set(choice.thresholds[:9]) == {0.3}
    assert choice.value > p_au(truth, (outputs >= 0.5).astype(np.int8))


def test_predictions_round_trip(tmp_path):
    crops, outputs, *_ = random_expr(np.random.default_rng(3))
    kept = predicted(crops, outputs)
    kept.save(tmp_path / "p.npz")
    back = Predictions.load(tmp_path / "p.npz")
    assert back.sequences == kept.sequences
    assert all(np.array_equal(getattr(back, n), getattr(kept, n)) for n in ("lengths", "frames", "outputs"))
