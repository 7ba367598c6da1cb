import shutil

import numpy as np
import pytest

from harness.data.affwild2 import AffWild2
from harness.data.check import check_dataset
from harness.data.registry import is_dataset, open_dataset
from harness.utils.errors import InputError
from tests.helpers.data_folders import (
    ABSENT,
    ANNOTATIONS,
    EXPR,
    MTL_HEADER,
    TEST_LISTS,
    annotate,
    crops,
    small_abaw3,
    write,
)
from tests.helpers.shared_data import shared_data


def test_challenge_layout_is_detected(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path / "faces"))
    assert isinstance(dataset, AffWild2) and dataset.temporal and dataset.name == "faces"
    assert dataset.tasks() == ("expr", "va", "au", "mtl")
    assert dataset.splits("expr") == ("train", "validation")
    assert dataset.sequence_names("expr", "train") == ("7-30-640x480", "video1_left")
    assert list(dataset.sequences) == ["7-30-640x480", "video1_left", "video2", "video3"]


def test_rows_are_the_lines_of_the_files_and_frames_count_from_one(tmp_path):
    labels = open_dataset(small_abaw3(tmp_path)).labels("expr", "train")
    assert labels.sequences == labels.units == ("7-30-640x480", "video1_left")
    assert labels.groups == ("7-30-640x480", "video1")
    assert labels.sequence.tolist() == labels.unit.tolist() == [0] * 5 + [1] * 5
    assert labels.frame.tolist() == [1, 2, 3, 4, 5] * 2
    assert labels.targets["expr"].tolist() == [0, 1, 4, -1, 7] * 2


def test_partly_invalid_labels_are_kept_as_written(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path))
    assert dataset.labels("va", "train").targets["va"][3].tolist() == [0.5, -5]
    assert dataset.labels("au", "validation").targets["au"][2].tolist() == [-1] + [0] * 11


@pytest.mark.parametrize(
    "annotations",
    [
        "Third ABAW Annotations",
        "3rd ABAW Annotations",
        "3rd_ABAW_Annotations",
        "3rd ABAW Annotations/Third ABAW Annotations",
        "third_abaw_annotations",
        "",
    ],
)
@pytest.mark.parametrize("folder", ["cropped", "cropped_aligned"])
def test_nested_and_renamed_folders(tmp_path, annotations, folder):
    dataset = open_dataset(small_abaw3(tmp_path, annotations, folder))
    assert len(dataset.labels("mtl", "train")) == 4
    assert dataset.sequences["video2"].images[0] == tmp_path / folder / "video2/00001.jpg"


def test_cropped_takes_precedence_over_cropped_aligned(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "video2", [1], folder="cropped_aligned")
    assert len(open_dataset(tmp_path).sequences["video2"].frames) == 5


def test_crops_may_be_missing_and_go_past_frame_ten_thousand(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "video3", [9999, 10000, 100000])
    (tmp_path / "cropped/video3/00003.jpg").unlink()
    (tmp_path / "cropped/video3/notes.txt").write_text("")
    sequence = open_dataset(tmp_path).sequences["video3"]
    assert sequence.frames.tolist() == [1, 2, 4, 5, 9999, 10000, 100000] and sequence.frames.dtype == np.int32
    assert [path.name for path in sequence.images][-2:] == ["10000.jpg", "100000.jpg"]


def test_annotations_may_be_longer_than_the_crops(tmp_path):
    small_abaw3(tmp_path)
    annotate(tmp_path, EXPR, "Validation_Set", "video3", [0, 1, 2, 3, 4, 5, 6])
    labels = open_dataset(tmp_path).labels("expr", "validation")
    assert labels.frame[-1] == 7 and len(labels) == 12


def test_video_without_crops_is_a_sequence_of_no_frames(tmp_path):
    small_abaw3(tmp_path)
    shutil.rmtree(tmp_path / "cropped/video3")
    sequence = open_dataset(tmp_path).sequences["video3"]
    assert len(sequence.frames) == 0 and sequence.images == ()


def test_duplicate_multitask_rows_are_kept_in_order(tmp_path):
    small_abaw3(tmp_path)
    rows = [f"video2/0000{frame}.jpg,0,0,{frame},{ABSENT}" for frame in (2, 1, 2)]
    write(tmp_path / ANNOTATIONS / "MTL_Challenge/validation_set.txt", MTL_HEADER, *rows)
    labels = open_dataset(tmp_path).labels("mtl", "validation")
    assert labels.frame.tolist() == [2, 1, 2] and labels.targets["expr"].tolist() == [2, 1, 2]
    assert set(labels.targets) == {"va", "expr", "au"}


@pytest.mark.parametrize("place", [".", "CVPR_2022_3rd_ABAW_Competition _Test_Set_Release_&_Submission_Instructions"])
def test_test_lists_at_the_root_or_in_their_release_folder(tmp_path, place):
    small_abaw3(tmp_path)
    crops(tmp_path, "video9_right", [1])
    write(tmp_path / place / TEST_LISTS["expr"], "video9_right", "video8")
    write(tmp_path / place / TEST_LISTS["mtl"], MTL_HEADER, "video9_right/00001.jpg", "video9_right/00007.jpg")
    dataset = open_dataset(tmp_path)
    assert dataset.sequence_names("expr", "test") == ("video9_right", "video8")
    assert dataset.sequence_names("mtl", "test") == ("video9_right",)
    assert "video8" in dataset.sequences
    with pytest.raises(InputError, match="no test list of task 'va'; put Valence_Arousal"):
        dataset.sequence_names("va", "test")


FRAME_LIST = ("image_location,valence,arousal", "video9/00001.jpg,", "video9/00002.jpg,", "video8_left/00001.jpg,")


@pytest.mark.parametrize("place", ["", "test_set"])
def test_list_of_frames_as_since_the_fifth_challenge_is_a_test_list(tmp_path, place):
    small_abaw3(tmp_path)
    path = write(tmp_path / place / "CVPR_5th_ABAW_VA_test_set_sample.txt", *FRAME_LIST)
    dataset = open_dataset(tmp_path)
    assert dataset.sequence_names("va", "test") == dataset.test_sequence_names("va") == ("video8_left", "video9")
    assert dict(dataset.folders.frame_lists) == {"va": path}
    report = check_dataset(tmp_path, images=False)
    assert [(test.task, test.sequences, test.cropped) for test in report.tests] == [("va", 2, 0)]
    assert any(
        problem.location(tmp_path) == f"{path.relative_to(tmp_path)}:4" and "video8_left" in problem.message
        for problem in report.warnings
    )


def test_list_of_videos_takes_precedence_over_list_of_frames(tmp_path):
    small_abaw3(tmp_path)
    write(tmp_path / "CVPR_5th_ABAW_EXPR_test_set_sample.txt", "image_location,Neutral", "video9/00001.jpg,")
    write(tmp_path / TEST_LISTS["expr"], "video7", "video6")
    assert open_dataset(tmp_path).sequence_names("expr", "test") == ("video7", "video6")


def test_multi_task_list_of_the_fourth_challenge(tmp_path):
    small_abaw3(tmp_path)
    write(tmp_path / "MTL_Challenge_test_set_release.txt", MTL_HEADER, "video9/00001.jpg")
    assert open_dataset(tmp_path).sequence_names("mtl", "test") == ("video9",)


def test_sequence_names_include_unlabeled_videos(tmp_path):
    small_abaw3(tmp_path)
    annotate(tmp_path, EXPR, "Train_Set", "video1_left", ["nonsense"])
    dataset = open_dataset(tmp_path)
    assert dataset.sequence_names("expr", "train") == ("7-30-640x480", "video1_left")
    with pytest.raises(InputError, match=r"video1_left\.txt:2: expression is 'nonsense'"):
        dataset.labels("expr", "train")


def test_labels_fingerprint_depends_on_its_split_only(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path))
    before = {split: dataset.labels_digest("expr", split) for split in ("train", "validation")}
    annotate(tmp_path, EXPR, "Train_Set", "video1_left", [0, 1, 4, -1, 6])
    assert dataset.labels_digest("expr", "train") != before["train"]
    assert dataset.labels_digest("expr", "validation") == before["validation"]


def test_unknown_folders_tasks_and_splits_raise(tmp_path):
    with pytest.raises(InputError, match="no such data folder: .*nowhere"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"not in a supported layout\.\nSupported:\n  - Aff-Wild2[^\0]*\n  - an image table"
    ):
        open_dataset(tmp_path)
    dataset = open_dataset(small_abaw3(tmp_path))
    with pytest.raises(InputError, match="unknown task 'exp'; did you mean expr"):
        dataset.labels("exp", "train")
    with pytest.raises(InputError, match="'valdation'; did you mean validation"):
        dataset.labels("expr", "valdation")
    shutil.rmtree(tmp_path / ANNOTATIONS / "AU_Detection_Challenge")
    with pytest.raises(InputError, match="no annotations of task 'au'; available: expr, va, mtl"):
        open_dataset(tmp_path).labels("au", "train")


def test_annotations_without_crops_folder(tmp_path):
    small_abaw3(tmp_path)
    shutil.rmtree(tmp_path / "cropped")
    with pytest.raises(InputError, match="annotations but no face crops; unpack them as"):
        open_dataset(tmp_path)


def test_empty_split_has_no_rows(tmp_path):
    small_abaw3(tmp_path)
    for path in (tmp_path / ANNOTATIONS / EXPR / "Validation_Set").iterdir():
        path.unlink()
    labels = open_dataset(tmp_path).labels("expr", "validation")
    assert len(labels) == 0 and labels.units == () and labels.targets["expr"].dtype == np.int64


def test_synthetic_set():
    dataset = open_dataset(shared_data() / "rendered")
    assert len(dataset.sequences) == 48
    assert [len(dataset.sequence_names("va", split)) for split in ("train", "validation", "test")] == [28, 12, 8]
    labels = dataset.labels("mtl", "train")
    pairs = set(zip(labels.sequence.tolist(), labels.frame.tolist()))
    assert len(labels) == 959 and len(pairs) == 958


@pytest.mark.parametrize("name", [TEST_LISTS["expr"], "CVPR_5th_ABAW_EXPR_test_set_sample.txt"])
def test_crops_and_a_test_list_are_a_data_set_without_labels(tmp_path, name):
    crops(tmp_path, "video9", range(1, 4))
    assert not is_dataset(tmp_path)
    lines = (
        ["video9", "video8"]
        if name == TEST_LISTS["expr"]
        else ["image_location,Neutral", "video9/00001.jpg,", "video8/00001.jpg,"]
    )
    write(tmp_path / name, *lines)
    dataset = open_dataset(tmp_path)
    assert dataset.tasks() == () and dataset.splits("expr") == ()
    assert sorted(dataset.sequence_names("expr", "test")) == ["video8", "video9"]
    assert [len(dataset.sequences[video].frames) for video in ("video9", "video8")] == [3, 0]
    with pytest.raises(InputError, match="no annotations of task 'expr'; available: none"):
        dataset.labels("expr", "train")


def test_test_lists_without_crops_are_not_a_data_set(tmp_path):
    write(tmp_path / TEST_LISTS["expr"], "video9")
    assert not is_dataset(tmp_path)
