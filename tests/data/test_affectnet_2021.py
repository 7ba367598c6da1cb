import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbones import AFFECTNET
from harness.data.affectnet_2021 import AffectNet2021
from harness.data.npy_scalars import NpyScalarReader
from harness.data.registry import open_stills
from harness.utils.errors import InputError
from tests.helpers.still_folders import affectnet_2021, image, npy

IN_CODE_ORDER = ["Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt"]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_codes_map_to_backbone_classes_in_image_order(tmp_path):
    source = open_stills(affectnet_2021(tmp_path))
    assert isinstance(source, AffectNet2021) and source.splits() == ("train", "validation")
    stills = source.stills("train")
    assert stills.classes == AFFECTNET
    assert [stills.classes[code] for code in stills.expression] == [*IN_CODE_ORDER, "Neutral", "Happiness"]
    assert [path.stem for path in stills.images] == [*"01234567", "9", "10"]
    assert stills.va.tolist() == [[-0.5, 0.25]] * 10 and stills.boxes is None and stills.au is None
    assert stills.subject.tolist() == list(range(10)) and stills.subjects[-1] == "train_set/10.jpg"
    assert not set(stills.subjects) & set(source.stills("validation").subjects)
    assert source.excluded_counts("train") == {"labelled as none, uncertain or no face": 1}
    assert [source.stills("validation").classes[i] for i in source.stills("validation").expression] == IN_CODE_ORDER


@pytest.mark.parametrize(
    "code",
    [
        np.array("3"),
        np.array(b"3"),
        np.array(3),
        np.array([3]),
        np.array(3.0),
        np.int8(3),
        np.array([["3"]]),
        np.array("3", ">U4"),
        np.float32(3),
    ],
)
def test_codes_of_any_npy_dtype(tmp_path, code):
    image(tmp_path / "train_set/images/0.jpg")
    npy(tmp_path / "train_set", 0, exp=code, val=np.float64(-2), aro=np.array("-2.0"))
    stills = open_stills(tmp_path).stills("train")
    assert AFFECTNET[stills.expression[0]] == "Surprise" and stills.va.tolist() == [[-5, -5]]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_npy_version_is_read(tmp_path, version):
    image(tmp_path / "train_set/images/0.jpg")
    npy(tmp_path / "train_set", 0, val=np.array("0.5"), aro=np.array("0"))
    with open(tmp_path / "train_set/annotations/0_exp.npy", "wb") as file:
        np.lib.format.write_array(file, np.array("6"), version)
    assert AFFECTNET[open_stills(tmp_path).stills("train").expression[0]] == "Anger"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (dict(exp=np.array("11")), "2_exp.npy: expression is 11; it must be a code from 0 to 10"),
        (dict(exp=np.array(2.5)), "2_exp.npy: expression is 2.5"),
        (dict(exp=np.array("happy")), "2_exp.npy: it holds 'happy', not a number"),
        (dict(exp=np.array([1, 2])), r"2_exp.npy: it holds int64 values of shape (2,), not one number"),
        (dict(exp=np.array(True)), "2_exp.npy: it holds bool values"),
        (dict(exp=np.zeros((), [("a", "i4")])), "2_exp.npy: it holds [('a', '<i4')] values"),
        (dict(val=np.array("1.01")), "2_val.npy: valence is 1.01; it must be a number from -1 to 1"),
        (dict(aro=np.array(np.nan)), "2_aro.npy: arousal is nan"),
    ],
)
def test_malformed_label_raises_and_others_are_read(tmp_path, label, words):
    npy(affectnet_2021(tmp_path) / "train_set", 2, **label)
    source = open_stills(tmp_path)
    with pytest.raises(InputError) as caught:
        source.stills("train")
    assert str(caught.value).startswith(f"{tmp_path / 'train_set/annotations'}/{words}")
    problems = []
    assert len(source.stills("train", problems)) == (9 if "exp" in label else 10) and len(problems) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"7", "not a .npy file"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", "the .npy file is truncated"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': object", "its .npy header cannot be read"),
        (b"\x93NUMPY\x01\x00\x02\x00{}", "its .npy header cannot be read"),
        (b"\x93NUMPY\x01\x00\xd0\x07" + b"(" * 2000, "its .npy header cannot be read"),
        (b"\x93NUMPY\x09\x00\x02\x00\x00\x00{}    ", "the .npy file has version 9"),
    ],
)
def test_invalid_npy_file_raises(tmp_path, content, words):
    (affectnet_2021(tmp_path) / "train_set/annotations/4_exp.npy").write_bytes(content)
    with pytest.raises(InputError, match=f"4_exp.npy: {words}"):
        open_stills(tmp_path).stills("train")


@pytest.mark.parametrize("place", [-4, -8, -16])
def test_undecodable_text_raises(tmp_path, place):
    path = affectnet_2021(tmp_path) / "train_set/annotations/4_val.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + b"\xff\xff\xff\x7f" + whole[len(whole) + place + 4 :])
    with pytest.raises(InputError, match="4_val.npy: it holds .*, not a number"):
        open_stills(tmp_path).stills("train")


def test_truncated_value_raises(tmp_path):
    path = affectnet_2021(tmp_path) / "train_set/annotations/4_val.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="4_val.npy: the .npy file is truncated"):
        open_stills(tmp_path).stills("train")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 131), st.binary(min_size=1, max_size=8), st.integers(0, 140))
def test_damaged_file_gives_a_number_or_an_error(tmp_path, place, damage, length):
    path = tmp_path / "0_exp.npy"
    np.save(path, np.array("3"))
    whole = path.read_bytes()
    path.write_bytes((whole[:place] + damage + whole[place + len(damage) :])[:length])
    try:
        assert isinstance(NpyScalarReader().read(path), float)
    except ValueError as error:
        assert str(error).startswith(("it holds", "its .npy", "the .npy", "the file is empty", "not a .npy"))


def test_pickled_npy_is_never_loaded(tmp_path):
    path = affectnet_2021(tmp_path / "data") / "train_set/annotations/4_exp.npy"
    bomb = np.empty((), object)
    bomb[()] = Bomb(tmp_path / "boom")
    np.save(path, bomb, allow_pickle=True)
    with pytest.raises(InputError, match="4_exp.npy: it holds a pickled Python object, which is never read"):
        open_stills(tmp_path / "data").stills("train")
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "boom")))
    with pytest.raises(InputError, match="4_exp.npy: not a .npy file"):
        open_stills(tmp_path / "data").stills("train")
    assert not (tmp_path / "boom").exists()


def test_absent_files_are_left_out_and_counted(tmp_path):
    folder = affectnet_2021(tmp_path) / "train_set"
    (folder / "annotations/1_exp.npy").unlink()
    (folder / "annotations/2_aro.npy").unlink()
    (folder / "images/3.jpg").unlink()
    source = open_stills(tmp_path)
    stills = source.stills("train")
    assert len(stills) == 8 and stills.va[1].tolist() == [-0.5, -5]
    assert source.excluded_counts("train") == {
        "labelled as none, uncertain or no face": 1,
        "no _exp.npy file": 1,
        "no image file": 1,
    }
    assert [problem.message.split(";")[0] for problem in source.find_problems()] == [
        "1 images have no _exp.npy (first: 1.jpg)",
        "1 annotated images are missing (first: 3)",
        "1 images have no _val.npy or no _aro.npy (first: 2.jpg)",
    ]


def test_train_split_is_sufficient(tmp_path):
    affectnet_2021(tmp_path)
    (tmp_path / "val_set/annotations").rename(tmp_path / "elsewhere")
    source = open_stills(tmp_path)
    assert source.splits() == ("train",)
    for path in (tmp_path / "train_set/images").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"train_set/images: no image; put the images of AffectNet there \(0\.jpg"):
        source.stills("train")


def test_companions_of_macos_are_no_annotations(tmp_path):
    affectnet_2021(tmp_path)
    for path in list(tmp_path.rglob("*.*")):
        path.with_name(f"._{path.name}").write_text("x")
    source = open_stills(tmp_path)
    assert len(source.stills("train")) == 10 and not list(source.find_problems())
