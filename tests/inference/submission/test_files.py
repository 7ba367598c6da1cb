"""Submission files round trip through the parsers of the organizers' formats."""

import numpy as np
import pytest

from harness.data.annotations import read_frames, read_multitask
from harness.inference.submission import files
from harness.inference.submission.round_trip import require_equal
from harness.inference.submission.rows import all_frames, read_image_list
from harness.metrics.tasks import ACTION_UNITS, get_task
from harness.utils.errors import FramelightError

LINES = {"video1_left": 7, "10-60-1280x720": 3, "video2": 1}


def predicted(random, count):
    va = np.tanh(random.normal(size=(count, 2)) * 3).astype(np.float32)
    va[:2] = [[1, -1], [1e-12, np.nextafter(np.float32(-1), np.float32(0))]]
    return {"va": va, "expr": random.integers(0, 8, count), "au": random.integers(0, 2, (count, 12)).astype(np.int8)}


@pytest.mark.parametrize("form", ["challenge", "frames"])
@pytest.mark.parametrize("name", ["expr", "va", "au"])
def test_predictions_round_trip_exactly(tmp_path, name, form):
    rows = all_frames(name, LINES)
    meant = {name: predicted(np.random.default_rng(3), len(rows))[name]}
    shape = files.shape_of(name, form)
    written = files.write(tmp_path, get_task(name), shape, rows, meant)
    require_equal(get_task(name), files.read(tmp_path, get_task(name), shape, rows), meant)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)


def test_negative_zero_is_written_as_zero(tmp_path):
    rows = all_frames("va", {"video1": 2})
    meant = {"va": np.array([[-0.0, 0.5], [0.25, -0.0]], np.float32)}
    files.write(tmp_path, get_task("va"), "videos", rows, meant)
    assert (tmp_path / "video1.txt").read_text().splitlines()[1:] == ["0,0.5", "0.25,0"]


def test_files_of_videos_keep_their_suffix_and_are_read_as_annotations_are(tmp_path):
    rows = all_frames("au", LINES)
    meant = {"au": predicted(np.random.default_rng(0), len(rows))["au"]}
    files.write(tmp_path, get_task("au"), "videos", rows, meant)
    assert (read_frames(tmp_path / "video1_left.txt", "au") == meant["au"][:7]).all()
    lines = (tmp_path / "video2.txt").read_text().splitlines()
    assert lines == [",".join(ACTION_UNITS), ",".join(map(str, meant["au"][-1]))]


def test_multi_task_file_keeps_the_lists_order_and_duplicates(tmp_path):
    images = ["b/00009.jpg", "a/00002.jpg", "b/00001.png", "a/00002.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(["image,valence,arousal,expression,aus", *images]) + "\n")
    rows, folder = read_image_list(tmp_path / "list.txt"), tmp_path / "out"
    folder.mkdir()
    meant = predicted(np.random.default_rng(1), 4)
    files.write(folder, get_task("mtl"), "mtl", rows, meant)
    text = (folder / "MTL_predictions.txt").read_text().splitlines()
    assert [line.split(",")[0] for line in text] == ["image", *images]
    assert text[1].count(",") == 15
    listed, targets = read_multitask(folder / "MTL_predictions.txt")
    assert listed.frame.tolist() == [9, 2, 1, 2]
    require_equal(get_task("mtl"), targets, meant)


def test_file_of_frames_has_the_lists_header_and_images(tmp_path):
    path = tmp_path / "CVPR_5th_ABAW_VA_test_set_sample.txt"
    path.write_text("image_location,valence,arousal\nvideo1/00001.jpg,\nvideo1/00002.jpg,\nvideo2/00010.jpg,\n")
    rows = read_image_list(path)
    meant = {"va": predicted(np.random.default_rng(1), 3)["va"]}
    files.write(tmp_path, get_task("va"), "frames", rows, meant)
    text = (tmp_path / "predictions.txt").read_text().splitlines()
    assert text[0] == "image_location,valence,arousal"
    assert text[3].startswith("video2/00010.jpg,")
    require_equal(get_task("va"), files.read(tmp_path, get_task("va"), "frames", rows), meant)


def test_changed_prediction_is_detected(tmp_path):
    rows = all_frames("expr", LINES)
    meant = {"expr": np.zeros(len(rows), np.int64)}
    files.write(tmp_path, get_task("expr"), "videos", rows, meant)
    path = tmp_path / "video1_left.txt"
    path.write_text(path.read_text().replace("\n0\n", "\n3\n", 1))
    with pytest.raises(FramelightError, match="expr predictions read back from the files differ"):
        require_equal(get_task("expr"), files.read(tmp_path, get_task("expr"), "videos", rows), meant)
    path.write_text(path.read_text() + "0\n")
    with pytest.raises(FramelightError, match="the lines of the written files differ"):
        files.read(tmp_path, get_task("expr"), "videos", rows)
