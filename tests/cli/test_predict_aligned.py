"""`framelight predict` with runs whose backbone reads aligned faces."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backbones.spec import Preprocessing
from harness.export.card import _alignment_text
from harness.export.card_reader import read_card
from harness.video.faces.alignment import FivePointAlignment
from harness.video.faces.yunet_model import find_packaged_file
from tests.helpers.predict_command import PROBABILITIES, numbers, predict, runs_of
from tests.helpers.shared_data import decode_clip, shared_data

RAW = [f"{name}_raw" for name in PROBABILITIES["expr"]]


@pytest.fixture(scope="module")
def aligned(readers, tmp_path_factory):
    """A copy of the store whose features are those of a backbone that reads aligned faces."""
    store = shutil.copytree(readers, tmp_path_factory.mktemp("aligned") / "store")
    for path in store.glob("features/*/entry.json"):
        entry = json.loads(path.read_text())
        entry["backbone"]["preprocessing"]["align"] = "five_point"
        path.write_text(json.dumps(entry))
    return store


@pytest.fixture
def yunet():
    if find_packaged_file() is None:
        pytest.skip("the extra `faces` is not installed")
    from harness.video.faces.detector import open_detector

    return open_detector("yunet")


def test_detector_without_landmarks_is_one_message(aligned, tmp_path, capsys):
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(image)
    assert predict(aligned, image, tmp_path / "out", "--detector", "haar") == 2
    said = capsys.readouterr().err
    assert "reads faces aligned by five points, which takes the positions of eyes, nose and mouth" in said
    assert "haar gives boxes only; use --detector yunet (pip install" in said and not (tmp_path / "out").exists()


def test_boxes_without_landmarks_are_one_message(aligned, yunet, tmp_path, capsys):
    path, image = tmp_path / "b.csv", tmp_path / "a.png"
    path.write_text("frame,x,y,width,height\n1,2,3,40,50\n")
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(image)
    assert predict(aligned, image, tmp_path / "out", "--boxes", path) == 2
    assert "b.csv gives boxes only" in capsys.readouterr().err


def test_video_is_read_in_aligned_crops(aligned, readers, yunet, tmp_path, capsys):
    """As the aligned crops themselves are, which the other store reads as they are."""
    clip = shared_data() / "clips" / "pyfeat_single_face.mp4"
    options = ("--detector", "yunet", "--kernel", "none", "--seconds", 0.4)
    assert predict(aligned, clip, tmp_path / "video", *options, "--margin", 1.5) == 0
    assert "--margin does not apply to run" in capsys.readouterr().err
    (run,) = runs_of(tmp_path / "video")
    assert run["align"] == "five_point" and run["margin"] is None
    folder = tmp_path / "crops"
    folder.mkdir()
    count = len(numbers(tmp_path / "video", "frame"))
    for number, pixels in enumerate(decode_clip("pyfeat_single_face.mp4")[:count], 1):
        (crop,) = FivePointAlignment().cut(pixels, yunet.refine(pixels, yunet(pixels)), 112)
        Image.fromarray(crop).save(folder / f"{number:05}.png")
    assert predict(readers, folder, tmp_path / "direct", "--crops", "--kernel", "none") == 0
    assert numbers(tmp_path / "video", *RAW) == pytest.approx(numbers(tmp_path / "direct", *RAW), abs=1e-4)


def test_image_is_read_in_aligned_crops(aligned, yunet, tmp_path):
    image = tmp_path / "a.png"
    Image.fromarray(decode_clip("pyfeat_single_face.mp4")[30]).save(image)
    assert predict(aligned, image, tmp_path / "out") == 0
    assert len(numbers(tmp_path / "out", "frame")) == 1 and runs_of(tmp_path / "out")[0]["align"] == "five_point"


def test_margin_of_other_runs_is_unchanged(readers, tmp_path):
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(image)
    assert predict(readers, image, tmp_path / "out", "--detector", "haar", "--margin", 1.5) == 0
    (run,) = runs_of(tmp_path / "out")
    assert run["margin"] == {"scale": 1.5, "dx": 0.0, "dy": 0.0} and "align" not in run


def test_card_says_that_crops_are_aligned(exported, tmp_path, capsys):
    assert "align" not in json.loads((exported / "card.json").read_text())["input"]
    assert read_card(exported).preprocessing.align == "none"
    folder = shutil.copytree(exported, tmp_path / "export")
    card = json.loads((folder / "card.json").read_text())
    card["input"]["align"] = "five_point"
    (folder / "card.json").write_text(json.dumps(card))
    assert read_card(folder).preprocessing.align == "five_point"
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(image)
    assert predict(exported.parent / "store", image, tmp_path / "out", "--detector", "haar", runs=(folder,)) == 2
    assert "reads faces aligned by five points" in capsys.readouterr().err


def test_text_of_the_card_has_the_template():
    assert _alignment_text(Preprocessing(64)) == ""
    text = _alignment_text(Preprocessing(64, align="five_point"))
    assert "(38.2946, 51.6963), (73.5318, 51.5014)" in text and "112 x 112 pixels" in text
