"""`framelight predict --boxes`: faces that another program has found."""

import csv
import shutil

import numpy as np
import pytest

from tests.helpers import face_scenes
from tests.helpers.predict_command import PROBABILITIES, numbers, predict, rows
from tests.helpers.video_files import encode, film

RAW = [f"{name}_raw" for name in PROBABILITIES["expr"]]
PLACES = ("frame", "face", "found", "x", "y", "width", "height")
FRAMES = 12


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two people, who move to the right."""
    frames = [face_scenes.frame(480, 240, [(0, 120 + n, 120, 110), (1, 350 + n, 120, 120)]) for n in range(FRAMES)]
    return encode(tmp_path_factory.mktemp("talk") / "talk.mp4", frames)


@pytest.fixture
def read(readers, talk, tmp_path, capsys):
    """Predict, and return exit code, stdout and stderr."""

    def run(*arguments, source=talk, out="out"):
        code = predict(readers, source, tmp_path / out, "--detector", "haar", *arguments)
        return code, *capsys.readouterr()

    return run


def write(path, header, lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def test_boxes_of_a_prediction_give_the_same_prediction(read, tmp_path):
    assert read("--kernel", "none", out="first")[0] == 0
    code, printed, said = read("--kernel", "none", "--boxes", tmp_path / "first" / "predictions.csv", out="second")
    assert code == 0 and "2 faces, found in 12 frames (100.0%)" in printed, said
    first, second = (numbers(tmp_path / name, *PLACES, *RAW) for name in ("first", "second"))
    assert second[:, :7] == pytest.approx(first[:, :7], abs=0.01)
    assert second[:, 7:] == pytest.approx(first[:, 7:], abs=0.02)


def people(shift=0):
    """Frame from 1, id, x, y, width and height."""
    return [(n + 1 + shift, face, x + n, 75, 90, 90) for n in range(FRAMES) for face, x in (("Bo", 75), ("Al", 305))]


def test_ids_of_the_file_replace_tracking(read, tmp_path):
    """Even a face of a single frame counts."""
    lines = [line for line in people() if line[1] == "Bo" or line[0] == 5]
    path = write(tmp_path / "b.csv", ("frame", "face_id", "x", "y", "width", "height"), lines)
    assert read("--boxes", path, "--missing", "empty")[0] == 0
    found = numbers(tmp_path / "out", *PLACES)
    assert found[found[:, 2] == 1][:, [0, 1, 3]].tolist() == [
        [n, face, x] for n in range(1, 13) for face, x in ([(1, 309)] if n == 5 else []) + [(2, 74 + n)]
    ]


def test_faces_without_ids_are_tracked(read, tmp_path):
    """In the order of right and left, and one of them in two frames only, so that it counts as false."""
    lines = [(frame, x, y, w, h) for frame, face, x, y, w, h in people() if face == "Bo" or frame in (5, 6)]
    path = write(tmp_path / "b.csv", ("Frame", "X", "Y", "Width", "Height"), lines[::-1])
    assert read("--boxes", path)[0] == 0
    found = numbers(tmp_path / "out", *PLACES)
    assert set(found[:, 1]) == {1} and found[:, 3].tolist() == list(range(75, 87))


def test_py_feat_counts_from_0(read, tmp_path):
    names = ("frame", "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore")
    path = write(tmp_path / "b.csv", names, [(frame, *box, 0.9) for frame, _, *box in people(-1)])
    code, _, said = read("--boxes", path)
    assert code == 0 and f"note: {path} counts frames from 0" in said
    found = numbers(tmp_path / "out", *PLACES, "detection")
    assert found[:2, 0].tolist() == [1, 1] and found[:2, 3].tolist() == [75, 305] and set(found[:, -1]) == {0.9}


def test_relative_boxes(read, tmp_path):
    lines = [(frame, x / 480, y / 240, w / 480, h / 240) for frame, face, x, y, w, h in people() if face == "Bo"]
    path = write(tmp_path / "b.csv", ("frame", "xmin", "ymin", "width", "height"), lines)
    assert read("--boxes", path)[0] == 0
    assert numbers(tmp_path / "out", "x", "y", "width", "height")[0] == pytest.approx([75, 75, 90, 90], abs=0.1)


def test_changed_boxes_are_predicted_again(read, tmp_path):
    header = ("frame", "x", "y", "width", "height")
    path = write(tmp_path / "b.csv", header, [(frame, *box) for frame, _, *box in people()])
    assert read("--boxes", path)[0] == 0
    assert "frames per second" not in read("--boxes", path)[1]
    write(path, header, [(frame, x + 3, y, w, h) for frame, _, x, y, w, h in people()])
    code, _, said = read("--boxes", path)
    assert code == 2 and "is not empty" in said
    assert read("--boxes", path, "--force")[0] == 0
    assert rows(tmp_path / "out")[0]["x"] == "78"


def test_frames_that_the_video_lacks_are_noted(read, tmp_path):
    lines = [(frame, *box) for frame, _, *box in people(6)]
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), lines)
    code, _, said = read("--boxes", path)
    assert code == 0 and f"12 of 24 faces in {path} are in frames that" in said and "(the last: 18)" in said


def test_photos_keep_all_faces_of_the_file(read, tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(face_scenes.frame(360, 200, [(number, 100, 100, 90)])).save(folder / f"{number}.png")
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height", "face"), [(2, 60, 60, 70, 70, 4)])
    assert read("--boxes", path, source=folder)[0] == 0
    found = numbers(tmp_path / "out", "frame", "face", "found")
    assert found[found[:, 2] == 1][:, :2].tolist() == [[2, 1]]


@pytest.mark.parametrize(
    "text, said",
    [
        ("frame,x,y,width\n1,2,3,4\n", "b.csv:1: no column height; known forms"),
        ("frame,x,y,width,height\n1,2,3,4,5\nx,2,3,4,5\n", "b.csv:3: frame is 'x', not a number"),
        ("frame,x,y,width,height\n1,900,3,40,50\n", "b.csv:2: this face is outside of frame 1, which has 480 x 240"),
        ("frame,x,y,width,height\n99,2,3,40,50\n", "its faces are in frames 99 to 99, and"),
        ("", "b.csv"),
    ],
)
def test_invalid_file_is_one_message(read, tmp_path, text, said):
    path = tmp_path / "b.csv"
    path.write_text(text)
    code, _, message = read("--boxes", path)
    assert code == 2 and said in message and message.count("framelight:") == 1
    assert not (tmp_path / "out").exists()


def test_file_of_a_longer_video_is_reported_before_frames_are_read(read, tmp_path, monkeypatch):
    """With --seconds only once they are read, as the video itself has the frame."""
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(FRAMES, 20, 30, 40, 40)])
    message = f"its faces are in frames {FRAMES} to {FRAMES}, and"
    code, _, said = read("--boxes", path, "--seconds", 0.2)
    assert code == 2 and message in said and not (tmp_path / "out").exists()
    monkeypatch.setattr("harness.inference.predict._read_frames", lambda *_: pytest.fail("frames were read"))
    code, _, said = read("--boxes", path, source=film(tmp_path / "a.mp4", FRAMES - 1))
    assert code == 2 and message in said and not (tmp_path / "out").exists()


def test_video_with_more_frames_than_its_header_says(read, tmp_path):
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(n, 20, 3, 30, 30) for n in (9, 10, 11)])
    source = film(tmp_path / "a.mp4", FRAMES, keys=4, fragments="frag_keyframe")
    code, printed, said = read("--boxes", path, source=source)
    assert code == 0 and "1 face, found in 3 frames" in printed, said


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--crops",), "--boxes replaces the detection of faces; leave out --crops"),
        (("--smallest", 40), "--boxes replaces the detection of faces; leave out --smallest"),
        (("--live",), "needs all frames of a video"),
    ],
)
def test_options_that_boxes_exclude(readers, talk, tmp_path, capsys, arguments, said):
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(1, 2, 3, 4, 5)])
    assert predict(readers, talk, tmp_path / "out", "--boxes", path, *arguments) == 2
    assert said in capsys.readouterr().err


def test_boxes_belong_to_one_video(read, talk, tmp_path):
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(1, 2, 3, 4, 5)])
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(talk, folder)
    code, _, said = read("--boxes", path, source=folder)
    assert code == 2 and "has the faces of one video; give that video as the only input" in said


def test_folder_of_crops_has_no_boxes(read, tmp_path):
    from PIL import Image

    folder = tmp_path / "crops"
    folder.mkdir()
    for number in range(1, 4):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / f"{number:05}.png")
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(1, 2, 3, 4, 5)])
    code, _, said = read("--boxes", path, source=folder)
    assert code == 2 and "consists of face crops, so --boxes does not apply; use --detect" in said


def test_film_without_any_face_of_the_file(read, tmp_path):
    path = write(tmp_path / "b.csv", ("frame", "x", "y", "width", "height"), [(3, 20, 3, 30, 30)])
    code, _, said = read("--boxes", path, source=film(tmp_path / "a.mp4", 6))
    assert code == 0 and "no face was found in three frames; 1 detection in fewer frames" in said
