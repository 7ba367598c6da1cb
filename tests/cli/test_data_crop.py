"""`framelight data crop`: the command, its result as a dataset, and real clips."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.video.faces.yunet_model import find_packaged_file
from tests.helpers import face_scenes
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import encode, film


def data_crop(*words):
    return main(["data", "crop", *map(str, words)])


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    frames = [face_scenes.frame(320, 180, [(0, 150 + n, 90, 100)]) for n in range(6)]
    return encode(tmp_path_factory.mktemp("talk") / "talk.mp4", frames)


def test_command_prints_what_it_wrote(talk, tmp_path, capsys):
    out = tmp_path / "out"
    words = (talk, "--out", out, "--detector", "haar", "--size", 48, "--jobs", 1)
    assert data_crop(*words) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["1 video: 6 crops of 1 person", str(out / "cropped"), *map(str, sheet_and_report(out))]
    assert data_crop(*words) == 0
    assert "1 video: 6 crops of 1 person; 1 cropped before" in capsys.readouterr().out


def sheet_and_report(out):
    return out / "contact_sheet.jpg", out / "crop.json"


def test_exit_code_is_1_if_a_video_cannot_be_read(talk, tmp_path, capsys):
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(talk, folder)
    (folder / "b.mp4").write_text("no film")
    assert data_crop(folder, "--out", tmp_path / "out", "--detector", "haar", "--jobs", 2) == 1
    captured = capsys.readouterr()
    assert "cannot be read: 1 video: b" in captured.out and "b.mp4" in captured.err


@pytest.mark.parametrize(
    "make, code, said",
    [
        (lambda folder: folder, 2, "this folder contains no videos and no frames"),
        (lambda folder: film(folder / "a.mp4", 4, 320, 180), 1, "no face was found in this video"),
        (lambda folder: (folder / "a.mp4").write_text("x") and folder / "a.mp4", 2, "cannot be read as a video"),
    ],
)
def test_nothing_to_crop_is_one_message(tmp_path, capsys, make, code, said):
    folder = tmp_path / "videos"
    folder.mkdir()
    assert data_crop(make(folder), "--out", tmp_path / "out", "--detector", "haar", "--jobs", 1) == code
    assert said in capsys.readouterr().err


def test_crops_are_read_as_a_folder_of_crops(talk, readers, tmp_path):
    """`predict` takes them as they are."""
    from tests.helpers.predict_command import numbers, predict

    data_crop(talk, "--out", tmp_path / "out", "--detector", "haar", "--jobs", 1)
    assert predict(readers, tmp_path / "out" / "cropped" / "talk", tmp_path / "p") == 0
    assert numbers(tmp_path / "p", "frame", "found").tolist() == [[n, 1] for n in range(1, 7)]


CLIPS = {"grid_bbaf2n": 75, "grid_lbax4n": 75, "grid_pwij3p": 75, "grid_sbia1a": 75, "grid_swiz3n": 75}
CLIPS |= {"pyfeat_single_face": 72, "intel_head-pose-female": 23}
CLIPS |= {f"intel_head-pose-female-and-male_{side}": 56 for side in ("left", "right")}
"""Number of crops of each person in the shared clips: 582 in total."""


@pytest.mark.parametrize("align", ["none", pytest.param("five_point", marks=pytest.mark.slow)])
def test_all_faces_of_the_clips_are_cropped(tmp_path, align):
    if find_packaged_file() is None:
        pytest.skip("the extra `faces` is not installed")
    out = tmp_path / "out"
    assert data_crop(shared_data() / "clips", "--out", out, "--detector", "yunet", "--align", align) == 0
    folder = out / ("cropped" if align == "none" else "cropped_aligned")
    counts = {path.name: len(list(path.iterdir())) for path in folder.iterdir()}
    assert counts == CLIPS and sum(counts.values()) == 582
    report = json.loads((out / "crop.json").read_text())
    assert report["lost"]["frames_without_a_face"] == 0 and not report["lost"]["videos_without_a_face"]
    with Image.open(folder / "pyfeat_single_face" / "00001.jpg") as image:
        assert image.size == (112, 112) and np.asarray(image).std() > 20
