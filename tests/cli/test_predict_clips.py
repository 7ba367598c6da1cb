"""`framelight predict` on real clips."""

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from tests.helpers.predict_command import numbers, predict
from tests.helpers.shared_data import shared_data

TALKERS = ("bbaf2n", "lbax4n", "pwij3p", "sbia1a", "swiz3n")


def seen(out):
    """Frame, face and box of each row in which a face was found."""
    table = numbers(out, "frame", "face", "found", "x", "y", "width", "height")
    return table[table[:, 2] == 1][:, [0, 1, 3, 4, 5, 6]]


@pytest.mark.parametrize("talker", TALKERS)
def test_speaker_is_found_in_95_percent_of_frames(readers, tmp_path, talker):
    assert predict(readers, shared_data() / "clips" / f"grid_{talker}.mpg", tmp_path / "out") == 0
    found = seen(tmp_path / "out")
    assert len(np.unique(found[:, 0])) >= 0.95 * 75 and set(found[:, 1]) == {1}


def test_two_faces_keep_their_ids(readers, tmp_path):
    """The woman is on the left in every frame."""
    clip = shared_data() / "clips" / "intel_head-pose-female-and-male.gif"
    assert predict(readers, clip, tmp_path / "out") == 0
    found = seen(tmp_path / "out")
    assert set(found[:, 1]) == {1, 2}
    middle = found[:, 2] + found[:, 4] / 2
    sides = [middle[found[:, 1] == face] for face in (1, 2)]
    left, right = sorted(sides, key=np.median)
    assert left.max() < right.min()
    assert min(map(len, sides)) > 0.9 * 56


def test_eight_faces_at_once(readers, tmp_path, capsys):
    """Photos of eight people side by side."""
    people = sorted((shared_data() / "faces" / "images").iterdir())[:400:7]
    assert predict(readers, _montage(people, tmp_path), tmp_path / "out", "--render") == 0
    assert "1 frame, " in capsys.readouterr().out
    found = seen(tmp_path / "out")
    assert len(found) == 8 and found[:, 1].tolist() == list(range(1, 9))
    assert (tmp_path / "out" / "annotated.png").stat().st_size


def _montage(paths, folder):
    """An image of eight people, each of which the detector finds separately."""
    from harness.video.faces.detector import open_detector

    detector, size = open_detector("haar"), 160
    alone = []
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((size, size)))
        framed = np.full((240, 240, 3), 128, np.uint8)
        framed[40:200, 40:200] = pixels
        if len(detector(framed)) == 1:
            alone.append(framed)
        if len(alone) == 8:
            break
    whole = np.concatenate([np.concatenate(alone[:4], axis=1), np.concatenate(alone[4:], axis=1)])
    Image.fromarray(whole).save(folder / "eight.png")
    return folder / "eight.png"


@pytest.mark.slow
def test_smile_has_higher_happiness_and_valence(tmp_path):
    """A backbone trained on real faces as a user trains it; the head for valence learns from rendered faces."""
    data, store, out = shared_data(), tmp_path / "store", tmp_path / "out"
    trained = ["train-backbone", "light_both", "--data", data / "faces", "--store", store]
    heads = [
        ["run", recipe, "--data", data / name, "--store", store, "--set", "backbones=light_both", "--jobs", 1]
        for recipe, name in (("real_faces", "faces"), ("abaw3_mtl", "rendered"))
    ]
    for command in (trained, *heads):
        assert main([str(word) for word in command]) == 0
    assert predict(store, data / "clips" / "pyfeat_single_face.mp4", out, runs=("best:expr", "best:mtl")) == 0
    happiness = [name for name in _header(out) if name.endswith("p_Happiness_raw")]
    table = numbers(out, "valence_raw", *happiness)
    ends, smile = np.concatenate([table[:14], table[-2:]]), table[24:64]
    assert (smile.mean(axis=0) > ends.mean(axis=0) + 0.1).all()


def _header(out):
    return (out / "predictions.csv").read_text().splitlines()[0].split(",")
