"""Cropping the faces of drawn films: numbers, places and content of the crops."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.inference.cropping.contact_sheet import SHEET
from harness.inference.cropping.crop import crop_videos
from harness.inference.cropping.options import CropOptions
from harness.inference.cropping.summary_text import summary_lines
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import open_detector
from tests.helpers import face_scenes
from tests.helpers.crop_films import FRAMES, WIDTH, files, scene
from tests.helpers.video_files import encode


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
    assert report["lost"]["videos_without_a_face"] == ["empty"] and report["lost"]["frames_without_a_face"] == 5
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
    assert f"without a face: 5 of {2 * FRAMES + 5} frames (23.8%): empty (5)" in lines
    assert "no face in 1 video: empty" in lines and "cannot be read: 1 video: broken" in lines


def test_contact_sheet_has_a_row_for_each_person(cropped):
    with Image.open(cropped[1] / SHEET) as image:
        assert image.size[1] > 3 * 80 and np.asarray(image).std() > 20


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
