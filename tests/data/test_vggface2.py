import numpy as np
import pytest

from harness.data.registry import open_stills
from harness.data.vggface2 import VGGFace2
from harness.utils.errors import InputError
from tests.helpers.data_folders import write
from tests.helpers.still_folders import image, vggface2


def test_each_folder_is_an_identity(tmp_path):
    source = open_stills(vggface2(tmp_path / "faces"))
    assert isinstance(source, VGGFace2) and source.name == "faces" and source.splits() == ("train", "test")
    stills = source.stills("train")
    assert stills.subjects == ("n000002", "n000009") and stills.subject.tolist() == [0, 0, 0, 1, 1]
    assert stills.images[2] == tmp_path / "faces/train/n000002/0003_02.jpg"
    assert stills.expression.tolist() == [-1] * 5 and stills.va is None and stills.au is None
    assert source.stills("test").subjects == ("n000001",) and source.excluded_counts("train") == {}


def test_boxes_are_found_by_name_and_an_image_without_one_has_none(tmp_path):
    boxes = open_stills(vggface2(tmp_path)).stills("train").boxes
    assert boxes.dtype == np.float32 and boxes[0].tolist() == [2, 3, 12, 11] and boxes[1].tolist() == [-4, 0, 8, 12]
    assert np.isnan(boxes[2]).all() and boxes[3].tolist() == [1, 1, 31, 41] and np.isnan(boxes[4]).all()
    assert open_stills(vggface2(tmp_path / "bare", boxes=False)).stills("train").boxes is None


def test_list_format_variants(tmp_path):
    path = vggface2(tmp_path) / "bb_landmark/loose_bb_train.csv"
    rows = ("NAME_ID,X,Y,W,H", '"n000009/0011_01", 5,6,7.5,8', "", '"n000002/0003_02",1,1,2,2', "")
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    boxes = open_stills(tmp_path).stills("train").boxes
    assert boxes[4].tolist() == [5, 6, 12.5, 14] and boxes[2].tolist() == [1, 1, 3, 3] and np.isnan(boxes[0]).all()


def test_list_in_meta_folder(tmp_path):
    vggface2(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "bb_landmark").rename(tmp_path / "meta/bb_landmark")
    source = open_stills(tmp_path)
    assert not np.isnan(source.stills("train").boxes[0]).any()
    assert source.summary() == (("boxes", "meta/bb_landmark/loose_bb_train.csv, meta/bb_landmark/loose_bb_test.csv"),)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["n000002/0001_01,1,2,3"], ":2: 4 columns, but 5 are needed"),
        (["n000002/0001_01,1,2,3,4", "n000002/0002_01,1,two,3,4"], ":3: Y is 'two', not a number; write a number of"),
        (["n000002/0001_01,1,2,0,4"], ":2: the box is 0 wide and 4 high; both must be greater than 0"),
        (["n000002/0001_01,1,2,,4"], ":2: W is "),
        ([], ":1: no row follows the header"),
    ],
)
def test_malformed_row_is_named(tmp_path, rows, words):
    path = write(vggface2(tmp_path) / "bb_landmark/loose_bb_train.csv", "NAME_ID,X,Y,W,H", *rows)
    with pytest.raises(InputError) as caught:
        open_stills(tmp_path).stills("train")
    assert str(caught.value).startswith(f"{path}{words}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"NAME_ID,X,Y,W\n", ":1: no column H; the columns are NAME_ID, X, Y, W"),
        (b"", ":1: no column NAME_ID .*the file is empty"),
        (b"NAME_ID,X,Y,W,H\n\xff\xfe,1,2,3,4\n", ": not a text file"),
    ],
)
def test_invalid_list_raises(tmp_path, content, words):
    path = vggface2(tmp_path) / "bb_landmark/loose_bb_train.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}{words}"):
        open_stills(tmp_path).stills("train")


def test_other_files_are_skipped(tmp_path):
    write(vggface2(tmp_path) / "train/n000002/notes.txt", "mine")
    (tmp_path / "train/n000003").mkdir()
    image(tmp_path / "train/n000010/0001_01.PNG")
    image(tmp_path / "train/stray.jpg")
    (tmp_path / "train/n000002/0002_01.jpg").unlink()
    source = open_stills(tmp_path)
    assert source.stills("train").subjects == ("n000002", "n000009", "n000010")
    assert source.excluded_counts("train") == {"in the list of boxes, but without an image file": 1}
    said = {problem.kind: problem.message for problem in source.find_problems() if "test" not in problem.file.name}
    assert said["empty identity"] == "1 identities have no image (first: n000003); they are skipped"
    assert said["one image"] == "1 identities have only one image (first: n000010)"
    assert said["no box"].startswith("3 of 5 images have no box in this list (first: n000002/0003_02")
    assert said["no image"].startswith("1 names have no image in train/ (first: n000002/0002_01")


def test_identity_in_both_splits_is_an_error(tmp_path):
    image(vggface2(tmp_path) / "test/n000009/0001_01.jpg")
    (leak,) = [problem for problem in open_stills(tmp_path).find_problems() if problem.severity == "error"]
    assert leak.kind == "leak" and "'n000009' is in both train and test" in leak.message


def test_train_alone_is_enough_and_an_unknown_split_is_named(tmp_path):
    source = open_stills(vggface2(tmp_path, boxes=False))
    with pytest.raises(InputError, match="unknown split of .* 'validation'"):
        source.stills("validation")
    for path in (tmp_path / "test/n000001").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="test: no image in any of its 1 folders"):
        source.stills("test")
    (tmp_path / "test/n000001").rmdir()
    assert open_stills(tmp_path).splits() == ("train",)


def test_files_of_operating_systems_are_no_data(tmp_path):
    root = vggface2(tmp_path, boxes=False)
    for name in ("train/__MACOSX/n000000/._1.jpg", "train/a00000/.DS_Store", "train/n000002/._0001_01.jpg"):
        write(root / name, "x")
    for name in ("train/@eaDir/1.jpg", "train/n000009/Thumbs.db", "train/n000009/desktop.ini", "train/.hidden/1.jpg"):
        write(root / name, "x")
    source = open_stills(root)
    assert len(source.stills("train")) == 5 and source.stills("train").subjects == ("n000002", "n000009")
    (problem,) = source.find_problems()
    assert problem.kind == "empty identity" and "first: a00000" in problem.message


def test_names_in_lists_may_be_composed_otherwise_than_on_the_disk(tmp_path):
    decomposed, composed = "Jose\u0301", "Jos\u00e9"
    image(tmp_path / f"train/{decomposed}/1.jpg")
    image(tmp_path / f"train/{decomposed}/2.jpg")
    write(tmp_path / "loose_bb_train.csv", "NAME_ID,X,Y,W,H", f"{composed}/1,1,2,3,4")
    boxes = open_stills(tmp_path).stills("train").boxes
    assert boxes[0].tolist() == [1, 2, 4, 6] and np.isnan(boxes[1]).all()


def test_other_folders_are_named(tmp_path):
    image(vggface2(tmp_path) / "val/n000001/1.jpg")
    (problem,) = [problem for problem in open_stills(tmp_path).find_problems() if problem.kind == "unread folder"]
    assert problem.file == tmp_path / "val"
