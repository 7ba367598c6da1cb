"""Crop files whose number is not a frame of their video."""

import shutil

import pytest

from harness.data.check import check_dataset
from harness.data.registry import open_dataset
from harness.utils.errors import InputError
from tests.helpers.data_folders import ABSENT, ANNOTATIONS, MTL_HEADER, crops, small_abaw3, write


@pytest.mark.parametrize("name", ["00000.jpg", "0.png"])
def test_crop_of_frame_zero_raises_by_its_path(tmp_path, name):
    small_abaw3(tmp_path)
    shutil.copy(tmp_path / "cropped/video3/00001.jpg", tmp_path / "cropped/video3" / name)
    dataset = open_dataset(tmp_path)
    with pytest.raises(InputError, match=rf"cropped/video3/{name}: a crop of frame 0, but frame numbers start at 1"):
        dataset.sequences["video3"]
    assert len(dataset.sequences["video2"].frames) == 5


def test_crop_of_frame_zero_is_an_error_and_the_other_videos_are_counted(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "video3", [0])
    report = check_dataset(tmp_path)
    assert [(p.file, p.kind) for p in report.errors] == [(tmp_path / "cropped/video3/00000.jpg", "frame number")]
    assert [p for p in report.problems if p.kind in ("no crop", "file name")] == []
    assert [one.cropped for one in report.counts if (one.task, one.split) == ("expr", "validation")] == [4]


def test_crop_far_past_the_annotation_is_a_warning(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "video2", [900])
    crops(tmp_path, "video3", [20_220_315])
    crops(tmp_path, "not_annotated", [1, 5000])
    report = check_dataset(tmp_path)
    (problem,) = [p for p in report.problems if p.kind == "last crop"]
    assert (problem.severity, problem.file) == ("warning", tmp_path / "cropped/video3/20220315.jpg")
    assert "frame 20,220,315, but the annotations of 'video3' end at frame 5;" in problem.message


def test_video_of_the_multitask_file_alone_is_annotated_up_to_its_last_row(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "video5", [1, 3000])
    row = f"video5/02990.jpg,0,0,1,{ABSENT}"
    write(tmp_path / ANNOTATIONS / "MTL_Challenge/validation_set.txt", MTL_HEADER, row)
    assert [p for p in check_dataset(tmp_path).problems if p.kind == "last crop"] == []
