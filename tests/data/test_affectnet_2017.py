import numpy as np
import pytest

from backbones import AFFECTNET
from harness.data.affectnet_2017 import AffectNet2017
from harness.data.registry import open_stills
from harness.utils.errors import InputError
from tests.helpers.data_folders import write
from tests.helpers.still_folders import HEADER, IMAGES, LISTS, affectnet_2017, row_2017

IN_CODE_ORDER = ["Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt"]


def test_codes_map_to_backbone_classes(tmp_path):
    source = open_stills(affectnet_2017(tmp_path))
    assert isinstance(source, AffectNet2017) and source.splits() == ("train", "validation")
    stills = source.stills("train")
    assert stills.classes == AFFECTNET
    assert [stills.classes[code] for code in stills.expression] == IN_CODE_ORDER
    assert stills.images[3] == tmp_path / IMAGES / "3/t3.jpg" and stills.va[0].tolist() == [0.5, -0.25]
    assert stills.boxes.tolist() == [[1, 2, 11, 10]] * 8 and stills.boxes.dtype == np.float32
    assert len(stills.subjects) == 8 and stills.subject.tolist() == list(range(8))
    assert source.stills("validation").images[0].name == "v0.jpg"


def test_images_without_expression_and_missing_ones_are_left_out_and_counted(tmp_path):
    rows = [
        row_2017("1/a.jpg", 8),
        row_2017("1/b.jpg", 9, -2, -2),
        row_2017("1/c.jpg", 10, -2, -2),
        row_2017("1/d.jpg", 6),
        row_2017("2/e.jpg", 1, -2, -2),
        row_2017("2/f.jpg", 2),
    ]
    affectnet_2017(tmp_path, train=rows)
    (tmp_path / IMAGES / "2/f.jpg").unlink()
    source = open_stills(tmp_path)
    stills = source.stills("train")
    assert [path.name for path in stills.images] == ["d.jpg", "e.jpg"] and stills.va[1].tolist() == [-5, -5]
    assert source.excluded_counts("train") == {"labelled as none, uncertain or no face": 3, "no image file": 1}
    (missing,) = source.find_problems()
    assert (missing.kind, missing.line) == ("missing image", 7) and "1 of 6 images are missing" in missing.message


@pytest.mark.parametrize("box", ["NULL,NULL,NULL,NULL", ",,,", "1,2,0,8", "1,2,10,-8", "nan,2,3,4"])
def test_row_without_box(tmp_path, box):
    affectnet_2017(tmp_path, train=[row_2017("1/a.jpg", 3, box=box), row_2017("1/b.jpg", 4, box="-3,2.5,10,8")])
    source = open_stills(tmp_path)
    boxes = source.stills("train").boxes
    assert np.isnan(boxes[0]).all() and boxes[1].tolist() == [-3, 2.5, 7, 10.5]
    (problem,) = source.find_problems()
    assert problem.kind == "no box" and problem.line == 2


def test_list_variants(tmp_path):
    affectnet_2017(tmp_path, header="")
    assert len(open_stills(tmp_path).stills("train")) == 8
    rows = [HEADER + ",note", row_2017("1/t1.jpg", 1) + ',"two\nlines"', row_2017("2/t2.jpg", 2) + ",x"]
    text = "\r\n".join(rows) + "\r\n"
    (tmp_path / LISTS / "training.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(open_stills(tmp_path).stills("train")) == 2
    (tmp_path / LISTS / "training.csv").write_text(text.replace(",2,0.5", ",2,half"))
    with pytest.raises(InputError, match=r"training\.csv:4: valence is 'half', not a number"):
        open_stills(tmp_path).stills("train")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_2017("1/b.jpg", 11), "expression is 11; it must be a code from 0 to 10"),
        (row_2017("1/b.jpg", "happy"), "expression is 'happy', not an integer"),
        (row_2017("1/b.jpg", 1, 1.5), "valence is 1.5; it must be a number from -1 to 1, or -2"),
        (row_2017("1/b.jpg", 1, 0, -1.5), "arousal is -1.5"),
        (row_2017("1/b.jpg", 1, box="x,1,2,3"), "face_x is 'x', not a number"),
        ("1/b.jpg,1,2,3", "4 columns, but 9 are needed"),
    ],
)
def test_malformed_row_raises_and_others_are_read(tmp_path, row, words):
    affectnet_2017(tmp_path, train=[row_2017("1/a.jpg", 1), row, row_2017("1/c.jpg", 2)])
    source, path = open_stills(tmp_path), tmp_path / LISTS / "training.csv"
    with pytest.raises(InputError) as caught:
        source.stills("train")
    assert str(caught.value).startswith(f"{path}:3: {words}")
    problems = []
    assert [path.name for path in source.stills("train", problems).images] == ["a.jpg", "c.jpg"]
    assert [problem.line for problem in problems] == [3]


@pytest.mark.parametrize("word", ["", "nan", "NaN", "NULL", "None", "N/A", "-"])
def test_lists_as_pandas_writes_them(tmp_path, word):
    """Integers as floats, and words for missing values: without an expression, an image is excluded."""
    rows = [row_2017("1/a.jpg", "1.0", word, "2.5e-1"), row_2017("1/b.jpg", word), row_2017("1/c.jpg", "8.0")]
    affectnet_2017(tmp_path, train=[*rows, row_2017("1/d.jpg", "7", box=",".join([word] * 4))])
    source = open_stills(tmp_path)
    stills = source.stills("train")
    assert [path.name for path in stills.images] == ["a.jpg", "d.jpg"]
    assert [stills.classes[code] for code in stills.expression] == ["Happiness", "Contempt"]
    assert stills.va.tolist() == [[-5, 0.25], [0.5, -0.25]] and np.isnan(stills.boxes[1]).all()
    assert source.excluded_counts("train") == {"labelled as none, uncertain or no face": 2}


@pytest.mark.parametrize(("encoding", "mark"), [("utf-16", ","), ("utf-8-sig", "\t"), ("utf-16-le", "|")])
def test_lists_of_spreadsheets(tmp_path, encoding, mark):
    path = affectnet_2017(tmp_path) / LISTS / "training.csv"
    path.write_bytes(path.read_text().replace(",", mark).encode(encoding))
    assert len(open_stills(tmp_path).stills("train")) == 8


def test_lists_next_to_images_and_single_split(tmp_path):
    affectnet_2017(tmp_path)
    (tmp_path / LISTS / "training.csv").rename(tmp_path / "training.csv")
    (tmp_path / LISTS / "validation.csv").unlink()
    (tmp_path / "Manually_Annotated").mkdir()
    (tmp_path / IMAGES).rename(tmp_path / "Manually_Annotated" / IMAGES)
    source = open_stills(tmp_path)
    assert source.splits() == ("train",) and len(source.stills("train")) == 8
    assert source.summary() == (("lists", "training.csv"), ("image folder", f"Manually_Annotated/{IMAGES}"))


def test_folder_without_images_raises(tmp_path):
    affectnet_2017(tmp_path)
    for path in (tmp_path / IMAGES).rglob("*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match=r"none of the 8 images listed in .*training\.csv exists \(first: .*0/t0\.jpg"):
        open_stills(tmp_path).stills("train")


def test_missing_column_raises(tmp_path):
    path = affectnet_2017(tmp_path) / LISTS / "training.csv"
    write(path, HEADER.replace("arousal", "energy"), row_2017("1/a.jpg", 1))
    with pytest.raises(InputError, match=r"training\.csv:1: no column arousal; the columns are subDirectory_filePath"):
        open_stills(tmp_path).stills("train")


def test_duplicate_images_are_reported(tmp_path):
    row = row_2017("1/a.jpg", 1)
    affectnet_2017(tmp_path, train=[row, row_2017("1/b.jpg", 2), row], validation=[row_2017("1/v.jpg", 2), row])
    found = {problem.kind: problem for problem in open_stills(tmp_path).find_problems()}
    assert found["duplicate row"].line == 4 and found["leak"].line == 3 and found["leak"].severity == "error"


def test_names_that_differ_in_case_are_said(tmp_path):
    affectnet_2017(tmp_path)
    (tmp_path / IMAGES / "3/t3.jpg").rename(tmp_path / IMAGES / "3/T3.JPG")
    source = open_stills(tmp_path)
    (problem,) = [problem for problem in source.find_problems() if problem.kind == "missing image"]
    assert "first: 3/t3.jpg; did you mean 3/T3.JPG?" in problem.message
    assert len(source.stills("train")) == 7


def test_names_in_lists_may_be_composed_otherwise_than_on_the_disk(tmp_path):
    affectnet_2017(tmp_path)
    (tmp_path / IMAGES / "3/t3.jpg").rename(tmp_path / IMAGES / "3/e\u0301.jpg")
    path = tmp_path / LISTS / "training.csv"
    path.write_text(path.read_text().replace("3/t3.jpg", "3/\u00e9.jpg"))
    stills = open_stills(tmp_path).stills("train")
    assert len(stills) == 8 and all(image.is_file() for image in stills.images)


def test_columns_may_be_named_in_other_cases(tmp_path):
    affectnet_2017(tmp_path, header=HEADER.replace("expression", "Expression").replace("face_x", "FACE_X"))
    assert len(open_stills(tmp_path).stills("train")) == 8
