"""Predictions at every frame of a submission, postprocessed as in the run."""

import numpy as np
import pytest

from harness.data.dataset import Labels
from harness.inference.submission.predictions import decode_predictions, outputs_at
from harness.inference.submission.rows import all_frames, read_image_list
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.metrics.tasks import get_task, softmax
from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import SmoothingParams
from harness.utils.errors import InputError

NONE = SmoothingParams("none", 0, "linear")


def predictions(crops):
    """Outputs [n, C] at frames [n] of each video."""
    names = tuple(crops)
    return Predictions(
        names,
        np.array([len(frames) for frames, _ in crops.values()]),
        np.concatenate([frames for frames, _ in crops.values()]).astype(np.int32),
        np.concatenate([outputs for _, outputs in crops.values()]).astype(np.float32),
    )


def ramp(frames):
    return np.stack([np.asarray(frames) / 100, -np.asarray(frames) / 100], axis=1)


def random_videos(random, counts, width=8):
    made = {}
    for i, count in enumerate(counts):
        frames = np.sort(random.choice(np.arange(1, 81), count, replace=False))
        made[f"v{i}"] = (frames, softmax(random.normal(size=(count, width))))
    return predictions(made)


def test_gaps_are_interpolated_and_ends_repeated():
    frames = [3, 4, 9, 20]
    found = outputs_at(all_frames("va", {"v": 25}), predictions({"v": (frames, ramp(frames))}), NONE)
    np.testing.assert_allclose(found, ramp(np.clip(np.arange(1, 26), 3, 20)), atol=1e-7)


@pytest.mark.parametrize("gaps", GAPS)
@pytest.mark.parametrize("kernel, radius", [("none", 0), ("mean", 7), ("median", 3), ("mean", 200)])
def test_outputs_equal_those_of_the_run(kernel, radius, gaps):
    random = np.random.default_rng(5)
    kept = random_videos(random, [40, 7, 60, 0])
    lines = {"v2": 80, "v0": 80, "v1": 80, "v3": 80}
    frame = np.tile(np.arange(1, 81, dtype=np.int32), 4)
    video = np.repeat(np.arange(4, dtype=np.int32), 80)
    names = ("v0", "v1", "v2", "v3")
    labels = Labels(names, video, frame, names, video, names, {"expr": random.integers(0, 8, 320)})
    replay = Replay(get_task("expr"), kept, labels, True, gaps, "filled")
    rows = all_frames("expr", lines)
    at = rows.position(labels.sequences, labels.sequence, labels.frame)
    found = outputs_at(rows, kept, SmoothingParams(kernel, radius, gaps))
    assert (found[at] == replay.smoothed_outputs(kernel, radius)).all()


def test_file_length_does_not_change_outputs():
    kept = random_videos(np.random.default_rng(0), [50])
    chosen = SmoothingParams("mean", 9, "linear")
    whole = outputs_at(all_frames("expr", {"v0": 80}), kept, chosen)
    last = int(kept.frames[-1])
    assert (outputs_at(all_frames("expr", {"v0": last - 1}), kept, chosen) == whole[: last - 1]).all()
    assert (whole[last:] == whole[last - 1]).all()


def test_video_without_crop_has_the_mean_output_of_all_crops():
    kept = random_videos(np.random.default_rng(1), [9, 0, 4])
    found = outputs_at(all_frames("expr", {"v0": 5, "v1": 3, "v2": 5}), kept, SmoothingParams("median", 2, "linear"))
    np.testing.assert_allclose(found[5:8], np.tile(kept.outputs.mean(axis=0), (3, 1)), rtol=1e-6)
    with pytest.raises(InputError, match="no video of the split has a crop"):
        outputs_at(all_frames("expr", {"v": 5}), predictions({"v": ([], np.zeros((0, 8)))}), NONE)


def test_crop_with_high_number_needs_no_memory():
    frames = [*range(1, 11), 500_000_000]
    outputs = softmax(np.random.default_rng(2).normal(size=(11, 8)))
    kept = predictions({"v": (frames, outputs)})
    found = outputs_at(all_frames("expr", {"v": 12}), kept, SmoothingParams("mean", 2, "linear"))
    assert found.shape == (12, 8)


def test_expression_is_the_most_probable_and_action_units_reach_their_thresholds():
    outputs = np.array([[0.1, 0.05, 0.05, 0.1, 0.5, 0.1, 0.05, 0.05], [0.0, 0.9, 0.1, 0, 0, 0, 0, 0]])
    assert decode_predictions(get_task("expr"), outputs, NONE)["expr"].tolist() == [4, 1]
    au = np.full((1, 12), 0.5)
    thresholds = tuple([0.5] * 6 + [0.6] * 6)
    chosen = SmoothingParams("none", 0, "linear", thresholds)
    assert decode_predictions(get_task("au"), au, chosen)["au"].tolist() == [[1] * 6 + [0] * 6]
    assert decode_predictions(get_task("au"), au, NONE)["au"].all()
    assert decode_predictions(get_task("va"), np.full((1, 2), 0.1), NONE)["va"].dtype == np.float32


def test_rows_of_a_list_are_in_its_order_with_its_duplicates_and_missing_images_filled(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("image,valence,arousal,expression,aus\nb/00009.jpg\na/00002.jpg\nb/00001.jpg\na/00002.jpg\n")
    rows = read_image_list(path)
    kept = predictions({"a": ([1, 3], ramp([1, 3])), "b": ([1, 2], ramp([1, 2]))})
    found = outputs_at(rows, kept, NONE)
    np.testing.assert_allclose(found, ramp([2, 2, 1, 2]), atol=1e-7)
    assert rows.names().tolist() == ["b/00009.jpg", "a/00002.jpg", "b/00001.jpg", "a/00002.jpg"]
