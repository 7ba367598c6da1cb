"""Cropping the faces of drawn films: numbers and places of the crops, resumption, and what is lost."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from harness.inference.cropping import crop as cropping
from harness.inference.cropping.contact_sheet import SHEET
from harness.inference.cropping.crop import crop_videos
from harness.inference.cropping.options import CropOptions
from harness.inference.cropping.summary_text import summary_lines
from harness.utils.errors import FramelightError, InputError
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import open_detector
from tests.helpers import face_scenes
from tests.helpers.video_files import cut, encode, film

WIDTH, HEIGHT, FRAMES = 320, 180, 8


def scene(*people):
    """A frame of people, each an index and the x of the center."""
    return face_scenes.frame(WIDTH, HEIGHT, [(who, x, 90, 100) for who, x in people])


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A person, two people, nobody, and no video at all."""
    folder = tmp_path_factory.mktemp("videos")
    encode(folder / "one.mp4", [scene((0, 140 + n)) for n in range(FRAMES)])
    encode(folder / "two.mkv", [scene((1, 80), (2, 230 + n)) for n in range(FRAMES)])
    film(folder / "nobody.mp4", 5, WIDTH, HEIGHT)
    (folder / "broken.mp4").write_text("<html>Sign in to download</html>")
    return folder


@pytest.fixture(scope="module")
def cropped(videos, tmp_path_factory):
    """All of them cropped in this process; the result is not to be changed."""
    out = tmp_path_factory.mktemp("cropped") / "out"
    return crop_videos([str(videos)], CropOptions(out, detector="haar")), out


@pytest.fixture
def copied(cropped, videos, tmp_path):
    """A copy of the crops, with a function that crops again."""
    out = shutil.copytree(cropped[1], tmp_path / "out")

    def again(*texts, **options):
        return crop_videos([*map(str, texts or [videos])], CropOptions(out, detector="haar", **options))

    return out, again


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def content(out):
    """All files but hidden ones, with their bytes."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_crops_are_named_as_in_affwild2(cropped):
    _, out = cropped
    numbers = [f"{number:05}.jpg" for number in range(1, FRAMES + 1)]
    assert files(out / "cropped") == ["one", "two_left", "two_right"]
    assert all(files(out / "cropped" / name) == numbers for name in files(out / "cropped"))
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {"cropped", "crop.json", SHEET}


def test_crops_show_the_face_of_their_person(cropped, videos):
    """Each crop is the region around the box that the detector finds."""
    import av

    _, out = cropped
    with av.open(str(videos / "two.mkv")) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    faces = open_detector("haar")(pixels)
    for name, box in zip(("two_left", "two_right"), faces.boxes):
        with Image.open(out / "cropped" / name / "00001.jpg") as image:
            written = np.asarray(image).astype(float)
        expected = crop(pixels, box, Margin(1.02, 0, 0.04), 112)
        assert written.shape == (112, 112, 3) and np.abs(written - expected).mean() < 3


def test_report_says_what_was_lost(cropped):
    summary, out = cropped
    report = json.loads((out / "crop.json").read_text())
    by_name = {video["name"]: video for video in report["videos"]}
    assert report["lost"]["videos_without_a_face"] == ["nobody"] and report["lost"]["frames_without_a_face"] == 5
    assert list(report["lost"]["videos_that_cannot_be_read"]) == ["broken"]
    assert "cannot be read as a video" in by_name["broken"]["error"]
    assert [person["name"] for person in by_name["two"]["people"]] == ["two_left", "two_right"]
    left, right = by_name["two"]["people"]
    assert (left["crops"], left["first"], left["last"]) == (FRAMES, 1, FRAMES)
    assert left["position"] == pytest.approx(80 / WIDTH, abs=0.03) and right["position"] > 0.7
    lines = list(summary_lines(summary))
    assert lines[:2] == [
        f"4 videos: {3 * FRAMES} crops of 3 people",
        "two: 2 people, from left to right: two_left, two_right",
    ]
    assert f"without a face: 5 of {2 * FRAMES + 5} frames (23.8%): nobody (5)" in lines
    assert "no face in 1 video: nobody" in lines and "cannot be read: 1 video: broken" in lines


def test_contact_sheet_has_a_row_for_each_person(cropped):
    with Image.open(cropped[1] / SHEET) as image:
        assert image.size[1] > 3 * 80 and np.asarray(image).std() > 20


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
    for name in ("one.mp4", "two.mkv"):
        shutil.copy2(videos / name, folder)
    shutil.copy2(videos / "one.mp4", folder / "two_left.mp4")
    os.utime(folder / "two_left.mp4")
    summary = again(folder)
    assert summary.done == 1 and [record.name for record in summary.records] == ["one", "two", "two_left-2"]
    assert files(out / "cropped") == ["one", "two_left", "two_left-2", "two_right"]


def test_labels_are_copied(copied, tmp_path):
    out, again = copied
    labels = tmp_path / "My labels.CSV"
    labels.write_text("video,frame,expression\none,1,happiness\n")
    summary = again(labels=labels)
    assert (out / "labels.csv").read_bytes() == labels.read_bytes() and out / "labels.csv" in summary.files
    labels.write_text("video,frame,expression\none,1,anger\n")
    labels.with_suffix(".json").write_text('{"fps": 25}')
    again(labels=labels)
    assert "anger" in (out / "labels.csv").read_text() and (out / "labels.json").read_text() == '{"fps": 25}'
    assert again(labels=out / "labels.csv").done == 1


def test_margin_and_size(videos, tmp_path):
    options = CropOptions(tmp_path / "out", margin=2.0, size=64, detector="haar")
    crop_videos([str(videos / "one.mp4")], options)
    with Image.open(tmp_path / "out" / "cropped" / "one" / "00001.jpg") as image:
        assert image.size == (64, 64)
        corner = np.asarray(image).astype(int)[:6, :6]
    assert np.abs(corner - face_scenes.wall()).max() < 12, "the crop is as wide as the wall beside the face"


def test_frames_keep_their_numbers(tmp_path):
    """Every second frame of a film, numbered from 0."""
    folder = tmp_path / "talk"
    folder.mkdir()
    for number in range(0, 12, 2):
        Image.fromarray(scene((0, 150 + number))).save(folder / f"img_{number:04}.png")
    crop_videos([str(folder)], CropOptions(tmp_path / "out", detector="haar"))
    assert files(tmp_path / "out" / "cropped" / "talk") == [f"{number:05}.jpg" for number in range(1, 12, 2)]


def test_person_who_is_lost_for_a_while_is_one_video(tmp_path):
    frames = [scene((0, 150))] * 4 + [scene()] * 32 + [scene((0, 155))] * 4
    crop_videos([str(encode(tmp_path / "a.mp4", frames))], CropOptions(tmp_path / "out", detector="haar"))
    written = files(tmp_path / "out" / "cropped" / "a")
    assert files(tmp_path / "out" / "cropped") == ["a"] and written[0] == "00001.jpg" and written[-1] == "00040.jpg"
    record = json.loads((tmp_path / "out" / "crop.json").read_text())["videos"][0]
    assert record["joined"] == 1 and record["with_face"] == len(written) < 12


def test_thirty_faces(tmp_path):
    """All at once; they are numbered from left to right."""
    people = [(n % 8, 60 + 118 * (n % 10), 65 + 120 * (n // 10), 100) for n in range(30)]
    path = encode(tmp_path / "crowd.mp4", [face_scenes.frame(1200, 370, people)] * 3)
    summary = crop_videos([str(path)], CropOptions(tmp_path / "out", detector="haar", smallest=40))
    (record,) = summary.records
    names = [person.name for person in record.people]
    assert len(names) >= 27 and names == [f"crowd_{n}" for n in range(1, len(names) + 1)]
    assert set(files(tmp_path / "out" / "cropped")) == set(names)
    positions = [person.position for person in record.people]
    assert positions == sorted(positions)
    assert f"crowd: {len(names)} people, from left to right: crowd_1, crowd_2" in "\n".join(summary_lines(summary))


def test_damaged_film_is_read_as_far_as_possible(tmp_path):
    path = cut(encode(tmp_path / "a.mkv", [scene((0, 120 + n)) for n in range(40)]), 0.6)
    summary = crop_videos([str(path)], CropOptions(tmp_path / "out", detector="haar"))
    (record,) = summary.records
    assert 4 < record.frames < 40 and record.crops == record.frames
    assert any("truncated after frame" in line for line in summary_lines(summary))


def test_video_without_a_face_is_an_error(videos, tmp_path):
    with pytest.raises(FramelightError, match="no face was found in this video; try another --detector, or --smallest"):
        crop_videos([str(videos / "nobody.mp4")], CropOptions(tmp_path / "out", detector="haar"))
    assert json.loads((tmp_path / "out" / "crop.json").read_text())["lost"]["videos_without_a_face"] == ["nobody"]


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


def test_crops_of_others_are_not_replaced(copied, videos, tmp_path):
    """A folder that was put there by hand, with the name of a new video."""
    out, again = copied
    shutil.copy2(videos / "one.mp4", tmp_path / "mine.mp4")
    other = out / "cropped" / "mine_left"
    other.mkdir()
    (other / "00001.jpg").write_text("mine")
    with pytest.raises(InputError, match="mine_left was not made by this command, and would be replaced by the crops"):
        again(tmp_path / "mine.mp4")
    assert files(other) == ["00001.jpg"] and json.loads((out / "crop.json").read_text())["pending"] == ["broken"]


def test_crops_that_a_killed_call_has_placed_are_replaced(copied, videos, tmp_path):
    out, again = copied
    shutil.copy2(videos / "one.mp4", tmp_path / "new.mp4")
    (out / "cropped" / "new").mkdir()
    report = json.loads((out / "crop.json").read_text())
    (out / "crop.json").write_text(json.dumps({**report, "pending": ["new"]}))
    again(tmp_path / "new.mp4")
    assert len(files(out / "cropped" / "new")) == FRAMES


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
