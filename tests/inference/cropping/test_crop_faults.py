"""Cropping damaged videos, with invalid options, and into folders with other content."""

import dataclasses
import json
import shutil

import pytest

from harness.inference.cropping import crop_video
from harness.inference.cropping.crop import crop_videos
from harness.inference.cropping.options import CropOptions
from harness.inference.cropping.summary_text import summary_lines
from harness.utils.errors import FramelightError, InputError
from tests.helpers.crop_films import files, scene
from tests.helpers.video_files import cut, encode


def test_damaged_film_is_read_as_far_as_possible(tmp_path):
    path = cut(encode(tmp_path / "a.mkv", [scene((0, 120 + n)) for n in range(40)]), 0.6)
    summary = crop_videos([str(path)], CropOptions(tmp_path / "out", detector="haar"))
    (record,) = summary.records
    assert 4 < record.frames < 40 and record.crops == record.frames
    assert any("truncated after frame" in line for line in summary_lines(summary))


def test_video_without_a_face_is_an_error(videos, tmp_path):
    with pytest.raises(FramelightError, match="no face was found in this video; try another --detector, or --smallest"):
        crop_videos([str(videos / "empty.mp4")], CropOptions(tmp_path / "out", detector="haar"))
    assert json.loads((tmp_path / "out" / "crop.json").read_text())["lost"]["videos_without_a_face"] == ["empty"]


def test_folder_of_broken_videos_is_an_error(videos, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(videos / "broken.mp4", folder / name)
    with pytest.raises(InputError, match=r"none of the 2 videos can be read; the first: .*a\.mp4"):
        crop_videos([str(folder)], CropOptions(tmp_path / "out", detector="haar"))
    with pytest.raises(InputError, match=r"^[^;]*a\.mp4.*cannot be read as a video"):
        crop_videos([str(folder / "a.mp4")], CropOptions(tmp_path / "out", detector="haar"))


@pytest.mark.parametrize(
    "options, said",
    [
        ({"align": "five"}, "unknown alignment 'five'; did you mean five_point"),
        ({"align": "five_point"}, "--align five_point turns faces upright, which takes .* but haar gives boxes only"),
        ({"align": "five_point", "margin": 1.2}, "--margin does not apply to aligned crops"),
        ({"margin": 9.0}, "from 0.5 to 4 times"),
        ({"size": 4}, "from 16 to 1024 pixels"),
        ({"labels": "none.csv"}, "no such file"),
        ({"labels": "labels.xlsx"}, "neither a .csv nor a .parquet file"),
        ({"detector": "har"}, "unknown detector 'har'"),
    ],
)
def test_invalid_options_are_one_message(videos, tmp_path, options, said):
    (tmp_path / "labels.xlsx").write_text("x")
    if "labels" in options:
        options = {**options, "labels": tmp_path / options["labels"]}
    plain = CropOptions(tmp_path / "out", detector="haar")
    with pytest.raises(InputError, match=said):
        crop_videos([str(videos)], dataclasses.replace(plain, **options))
    assert not (tmp_path / "out").exists()


def test_other_content_is_not_touched(videos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    options = CropOptions(out, detector="haar")
    with pytest.raises(InputError, match="is not empty and has no crop.json of earlier crops"):
        crop_videos([str(videos)], options)
    for text in (
        "{",
        "[]",
        '{"kind": "x"}',
        '{"kind": "framelight crops", "version": 1, "settings": {}, "videos": [1]}',
    ):
        (out / "crop.json").write_text(text)
        with pytest.raises(InputError, match=r"crop\.json is not the report of crops of this version"):
            crop_videos([str(videos)], options)
    assert files(out)[-2:] == ["crop.json", "mine.txt"]
    with pytest.raises(InputError, match="which is read"):
        crop_videos([str(videos)], CropOptions(videos.parent, detector="haar"))


@pytest.mark.parametrize("person", ["mine", "mine_left", "mine_1", "mine_12"])
def test_crops_of_others_are_not_replaced(copied, videos, tmp_path, person):
    """A folder that was put there by hand, with the name of a new video."""
    out, again = copied
    shutil.copy2(videos / "one.mp4", tmp_path / "mine.mp4")
    other = out / "cropped" / person
    other.mkdir()
    (other / "00001.jpg").write_text("mine")
    with pytest.raises(InputError, match=f"{person} was not made by this command, and would be replaced by the crops"):
        again(tmp_path / "mine.mp4")
    assert files(other) == ["00001.jpg"] and json.loads((out / "crop.json").read_text())["pending"] == ["broken"]


def test_folder_that_appears_meanwhile_is_not_replaced(videos, tmp_path, monkeypatch):
    """Another process makes it after the check, while the video is cropped."""
    original, other = crop_video._write_crops, tmp_path / "out" / "cropped" / "one"

    def write(*arguments):
        other.mkdir(exist_ok=True)
        (other / "mine.jpg").write_text("mine")
        original(*arguments)

    monkeypatch.setattr(crop_video, "_write_crops", write)
    with pytest.raises(FramelightError, match="one was made by others while the video was cropped; move it elsewhere"):
        crop_videos([str(videos / "one.mp4")], CropOptions(tmp_path / "out", detector="haar"))
    assert files(other) == ["mine.jpg"]


def test_names_in_a_report_are_not_paths(copied):
    out, again = copied
    report = json.loads((out / "crop.json").read_text())
    report["videos"][0]["people"] = [{"name": "../x", "crops": 1, "first": 1, "last": 1, "position": 0.5}]
    (out / "crop.json").write_text(json.dumps(report))
    with pytest.raises(InputError, match="is not the report of crops"):
        again()


def test_unwritable_folder_is_one_message(videos, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.inference.cropping.crop_video._write_crops", full)
    with pytest.raises(FramelightError, match="cannot write .*cropped"):
        crop_videos([str(videos / "one.mp4")], CropOptions(tmp_path / "out", detector="haar"))
