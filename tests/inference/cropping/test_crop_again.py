"""Cropping again: resumption, changed videos and other settings."""

import json
import os
import shutil

import pytest

from harness.inference.cropping import crop as cropping
from harness.inference.cropping.contact_sheet import SHEET
from harness.inference.cropping.crop import crop_videos
from harness.inference.cropping.options import CropOptions
from harness.inference.cropping.summary_text import summary_lines
from harness.utils.errors import FramelightError, InputError
from tests.helpers.crop_films import FRAMES, content, files, scene
from tests.helpers.video_files import encode


def test_processes_give_the_same_files(cropped, videos, tmp_path):
    crop_videos([str(videos)], CropOptions(tmp_path / "out", detector="haar", jobs=2))
    assert content(tmp_path / "out") == content(cropped[1])


def test_finished_videos_are_not_read_again(copied, monkeypatch):
    out, again = copied
    before = content(out)
    opened = []
    original = cropping.crop_video
    monkeypatch.setattr(cropping, "crop_video", lambda task, count: opened.append(task.name) or original(task, count))
    summary = again()
    assert opened == ["broken"] and content(out) == before
    assert "3 cropped before" in next(summary_lines(summary))


def test_only_what_is_missing_is_cropped(copied, caplog):
    out, again = copied
    before = content(out)
    shutil.rmtree(out / "cropped" / "two_left")
    (out / "cropped" / "one" / "00003.jpg").unlink()
    with caplog.at_level("INFO"):
        summary = again()
    assert content(out) == before and summary.done == 3
    assert caplog.text.count("is cropped again, as some of its crops are missing") == 2


def test_interrupted_call_is_resumed(videos, tmp_path, monkeypatch):
    options = CropOptions(tmp_path / "out", detector="haar")
    original, calls = cropping.crop_video, []

    def interrupted(task, count):
        calls.append(task.name)
        if len(calls) == 2:
            monkeypatch.setattr("harness.inference.cropping.crop_video._place", raise_interrupt)
        return original(task, count)

    def raise_interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cropping, "crop_video", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crop_videos([str(videos)], options)
    monkeypatch.undo()
    report = json.loads((tmp_path / "out" / "crop.json").read_text())
    assert [video["name"] for video in report["videos"]] == calls[:1]
    assert not list((tmp_path / "out" / "cropped").glob(".*"))
    assert crop_videos([str(videos)], options).done == 3


def test_files_of_a_killed_call_are_removed(copied):
    out, again = copied
    left = out / "cropped" / ".one.12345678.aside" / "1"
    left.mkdir(parents=True)
    again()
    assert not left.exists()


def test_changed_film_is_told_and_cropped_again(tmp_path, caplog):
    path = encode(tmp_path / "a.mp4", [scene((1, 80), (2, 230))] * 4)
    options = CropOptions(tmp_path / "out", detector="haar")
    crop_videos([str(path)], options)
    assert files(tmp_path / "out" / "cropped") == ["a_left", "a_right"]
    encode(path, [scene((0, 150))] * 5)
    with caplog.at_level("INFO"):
        crop_videos([str(path)], options)
    assert "a.mp4 has changed since it was cropped, and is cropped again" in caplog.text
    assert files(tmp_path / "out" / "cropped") == ["a"] and len(files(tmp_path / "out" / "cropped" / "a")) == 5


def test_film_that_was_broken_and_repaired(tmp_path):
    """Its crops stay while it is broken, and are replaced afterwards."""
    path, other = encode(tmp_path / "a.mp4", [scene((0, 150))] * 4), encode(tmp_path / "b.mp4", [scene((1, 150))] * 3)
    options = CropOptions(tmp_path / "out", detector="haar")
    crop_videos([str(path), str(other)], options)
    path.write_text("broken")
    assert [record.name for record in crop_videos([str(path), str(other)], options).failed] == ["a"]
    assert len(files(tmp_path / "out" / "cropped" / "a")) == 4
    encode(path, [scene((0, 150))] * 6)
    assert crop_videos([str(path), str(other)], options).done == 1
    assert len(files(tmp_path / "out" / "cropped" / "a")) == 6


@pytest.mark.parametrize(
    "change, said",
    [
        ({"margin": 1.5}, r"margin was \[1.02, 0.0, 0.04\] and is \[1.5, 0.0, 0.0\]"),
        ({"size": 96}, "size was 112 and is 96"),
        ({"smallest": 30}, "detector was haar .*smallest None and is haar .*smallest 30"),
    ],
)
def test_other_settings_are_told(copied, change, said):
    out, again = copied
    before = content(out)
    with pytest.raises(InputError, match=f"crops with other settings: {said}; choose another --out"):
        again(**change)
    assert content(out) == before


def test_moved_and_new_videos(copied, videos, tmp_path):
    """Moved files are recognized, a new one is added, and its name does not collide with that of a person."""
    out, again = copied
    folder = tmp_path / "moved"
    folder.mkdir()
    report = (out / "crop.json").read_text()
    (out / "crop.json").write_text(report.replace(json.dumps(str(videos))[1:-1], str(tmp_path / "gone")))
    for name in ("one.mp4", "two.mkv"):
        shutil.copy2(videos / name, folder)
    shutil.copy2(videos / "one.mp4", folder / "two_left.mp4")
    os.utime(folder / "two_left.mp4")
    summary = again(folder)
    assert summary.done == 1 and [record.name for record in summary.records] == ["one", "two", "two_left-2"]
    assert files(out / "cropped") == ["one", "two_left", "two_left-2", "two_right"]


def test_crops_that_a_killed_call_has_placed_are_replaced(copied, videos, tmp_path):
    out, again = copied
    shutil.copy2(videos / "one.mp4", tmp_path / "new.mp4")
    (out / "cropped" / "new").mkdir()
    report = json.loads((out / "crop.json").read_text())
    (out / "crop.json").write_text(json.dumps({**report, "pending": ["new"]}))
    again(tmp_path / "new.mp4")
    assert len(files(out / "cropped" / "new")) == FRAMES


def test_copies_of_videos_are_not_moved_videos(copied, videos, tmp_path):
    """The record of a video that is still there stays."""
    out, again = copied
    shutil.copy2(videos / "one.mp4", tmp_path / "one.mp4")
    summary = again(tmp_path / "one.mp4")
    assert [record.name for record in summary.records] == ["one-2"] and "one" in files(out / "cropped")
    lines = list(summary_lines(summary))
    assert "also in this folder: the crops of 2 videos of earlier calls" in lines
    assert "named apart, because names repeat: one.mp4 is one-2" in lines


def test_person_whose_folder_was_removed_is_left_out_of_the_sheet(copied, videos, tmp_path):
    """The next call is about another video."""
    out, again = copied
    shutil.rmtree(out / "cropped" / "two_left")
    shutil.copy2(videos / "one.mp4", tmp_path / "new.mp4")
    assert again(tmp_path / "new.mp4").done == 1
    assert (out / SHEET).exists() and "new" in files(out / "cropped")


def test_sheet_without_any_folder_left(videos, tmp_path):
    """The only crops were removed, and the next video shows no face."""
    options = CropOptions(tmp_path / "out", detector="haar")
    crop_videos([str(videos / "one.mp4")], options)
    shutil.rmtree(tmp_path / "out" / "cropped" / "one")
    with pytest.raises(FramelightError, match="no face was found in this video"):
        crop_videos([str(videos / "empty.mp4")], options)
