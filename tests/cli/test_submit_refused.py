"""`framelight submit` refuses input that is wrong, missing or damaged, and writes nothing then."""

import shutil

import pytest

from tests.cli.test_submit import kept, names_in
from tests.inference.submission.test_frame_counts import film


def test_frames_file_without_these_videos_is_rejected(submit, data, tmp_path):
    """Not read and forgotten: its lines would be the last crop's."""
    first, frames = names_in(data)[0], tmp_path / "frames.csv"
    frames.write_text(f"{first}.mp4,44\n")
    code, _, said = submit("best:va", "--frames", frames, data=data)
    assert code == 2 and f"contains no video of the test split, such as {first}, but {first}.mp4" in said
    assert not (tmp_path / "out").exists()


def test_too_small_count_raises_before_writing(submit, data, tmp_path):
    first = names_in(data)[0]
    film(data / "videos" / f"{first}.mp4", 9)
    code, _, said = submit("best:au", data=data)
    assert code == 2 and f"video '{first}'" in said and "9 frames" in said
    assert not (tmp_path / "out").exists()


def test_baseline_that_reads_labels_raises(submit, store):
    reading = [record for record in kept(store, kind="baseline") if "uses_labels" in record["flags"]]
    assert reading
    code, _, said = submit(reading[0]["group_id"])
    assert code == 2 and "predicts from the labels" in said


def test_invalid_input_is_rejected(submit, store, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.txt").write_text("mine")
    assert submit("best:expr")[::2] == (
        2,
        f"framelight: --out {tmp_path / 'out'} exists already; choose a new or an empty folder\n",
    )
    assert (tmp_path / "out" / "kept.txt").read_text() == "mine"
    code, _, said = submit("best:expr", "--seed", 7, out="other")
    assert code == 2 and "no finished seed 7; it has 0, 1" in said
    code, _, said = submit("best:mtl", "--videos", tmp_path, out="other")
    assert code == 2 and "lists every row" in said
    code, _, said = submit("nothing", out="other")
    assert code == 2 and "unknown run 'nothing'" in said
    (data / "Multi_Task_Learning_Challenge_test_set_release.txt").unlink()
    code, _, said = submit("best:mtl", data=data, out="other")
    assert code == 2 and "no test list of task 'mtl'" in said
    assert not (tmp_path / "other").exists()


def test_out_inside_data_is_rejected(submit, data, tmp_path):
    for out in ("data/cropped_aligned/mine", "data/mine", "data"):
        code, _, said = submit("best:expr", data=data, out=out)
        assert code == 2 and "is inside the data folder" in said
    assert not (data / "mine").exists() and not (data / "cropped_aligned" / "mine").exists()


def test_video_file_that_cannot_be_read_is_named(submit, data, tmp_path):
    path = film(data / "videos" / f"{names_in(data)[0]}.mp4", 40)
    path.write_bytes(path.read_bytes()[:200])
    code, _, said = submit("best:expr", data=data)
    assert code == 2 and f"{path}: cannot be read as a video" in said and "--frames FILE" in said
    assert not (tmp_path / "out").exists()


def test_unwritable_folder_raises(submit):
    code, _, said = submit("best:expr", out="/sys/framelight")
    assert code == 1 and "cannot write /sys/framelight" in said and "--out" in said


@pytest.mark.parametrize("size", [0, 100])
def test_damaged_predictions_of_the_run_are_named(submit, store, tmp_path, size):
    copied = shutil.copytree(store, tmp_path / "store")
    for path in (copied / "artifacts/jobs").glob("*/reported.npz"):
        content = path.read_bytes()[:size]
        path.unlink()
        path.write_bytes(content)
    code, _, said = submit("best:expr", "--split", "validation", store=copied)
    assert code == 2 and "reported.npz was modified" in said and not (tmp_path / "out").exists()


def test_missing_model_is_rejected(submit, store, tmp_path):
    copied = shutil.copytree(store, tmp_path / "store")
    shutil.rmtree(copied / "artifacts" / "jobs")
    code, _, said = submit("best:expr", store=copied)
    assert code == 2 and "is not in" in said and "--store" in said
