"""The round trip on a labeled split: any difference is an error."""

import dataclasses

import numpy as np
import pytest

from harness.data.dataset import Labels
from harness.inference.submission.predictions import decode_predictions, outputs_at
from harness.inference.submission.round_trip import StoredResult, round_trip
from harness.inference.submission.rows import all_frames
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.metrics.tasks import get_task, softmax
from harness.smoothing.kernels import SmoothingParams
from harness.utils.errors import FramelightError, InputError
from tests.helpers.records import record


@pytest.fixture
def trial():
    """task, labels, predictions and rows of two videos, some frames without a crop, and what is decoded."""
    random = np.random.default_rng(8)
    frames = [np.array([1, 2, 4, 7, 8], np.int32), np.arange(1, 10, dtype=np.int32)]
    names = ("v0", "v1")
    kept = Predictions(names, np.array([5, 9]), np.concatenate(frames), softmax(random.normal(size=(14, 8))))
    video = np.repeat(np.arange(2, dtype=np.int32), 10)
    labels = Labels(
        names,
        video,
        np.tile(np.arange(1, 11, dtype=np.int32), 2),
        names,
        video,
        names,
        {"expr": random.integers(-1, 8, 20)},
    )
    rows = all_frames("expr", {"v0": 10, "v1": 10})
    chosen = SmoothingParams("mean", 1, "linear")
    return (
        get_task("expr"),
        labels,
        kept,
        rows,
        decode_predictions(get_task("expr"), outputs_at(rows, kept, chosen), chosen),
    )


@pytest.mark.parametrize("missing", ["dropped", "filled"])
def test_files_score_like_the_run(trial, missing):
    expr, labels, kept, rows, meant = trial
    replay = Replay(expr, kept, labels, True, "linear", missing)
    value = next(replay.iter_scores("mean", [1], 0.5)).metrics["P_EXPR"]
    trip = round_trip(expr, labels, kept, rows, meant, meant, missing, own(kept, value))
    assert trip.files == trip.memory == pytest.approx(value, abs=1e-12)
    assert trip.frames == replay.scored and trip.moved == 0


def own(kept, value, change=0.0):
    return StoredResult(
        record(metrics={"P_EXPR": value}), dataclasses.replace(kept, outputs=kept.outputs + np.float32(change))
    )


def test_different_record_value_raises(trial):
    expr, labels, kept, rows, meant = trial
    for other in (
        own(kept, 0.9, 0.05),
        StoredResult(
            record(metrics={"P_EXPR": 0.9}),
            Predictions(kept.sequences[:1], kept.lengths[:1], kept.frames[:5], kept.outputs[:5]),
        ),
    ):
        with pytest.raises(FramelightError, match="from the files, but 0.900000 in the record of the run"):
            round_trip(expr, labels, kept, rows, meant, meant, "dropped", other)


def test_rounding_differences_are_reported(trial):
    expr, labels, kept, rows, meant = trial
    trip = round_trip(expr, labels, kept, rows, meant, meant, "dropped", own(kept, 0.9, 1e-5))
    assert trip.record == 0.9 and trip.files != 0.9 and 0 < trip.moved < 1e-4


def test_different_file_score_raises(trial):
    expr, labels, kept, rows, meant = trial
    least = {"expr": (meant["expr"] + 1) % 8}
    with pytest.raises(FramelightError, match="from the files and .* from memory"):
        round_trip(expr, labels, kept, rows, least, meant, "dropped", None)


def test_labeled_frame_without_line_is_named(trial):
    expr, labels, kept, _, _ = trial
    rows = all_frames("expr", {"v0": 10, "v1": 6})
    meant = {"expr": np.zeros(len(rows), np.int64)}
    everything = dataclasses.replace(labels, targets={"expr": np.zeros(20, np.int64)})
    with pytest.raises(InputError, match="label at frame 7, but its file of the submission ends before"):
        round_trip(expr, everything, kept, rows, meant, meant, "dropped", None)
