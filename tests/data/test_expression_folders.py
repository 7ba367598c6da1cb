"""Folders that are named after expressions are read as expressions, never as people."""

import numpy as np
import pytest
from PIL import Image

from backbones.spec import AFFECTNET
from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset, open_stills
from harness.metrics.tasks import EXPRESSIONS
from harness.utils.errors import InputError
from tests.helpers.data_folders import write
from tests.helpers.still_folders import image, vggface2

FER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
EIGHT = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def folders(root, splits=("train", "test"), names=FER, images=2, suffix="png"):
    for split in splits:
        for name in names:
            for number in range(images):
                image(root / split / name / f"im{number}.{suffix}")
    return root


def counts(root):
    dataset = open_dataset(root)
    return {
        split: np.bincount(dataset.labels("expr", split).targets["expr"], minlength=8).tolist()
        for split in dataset.splits("expr")
    }


def test_fer2013_is_expressions(tmp_path):
    root = folders(tmp_path)
    assert counts(root) == {split: [2] * 7 + [0] for split in ("train", "validation")}
    stills = open_stills(root).stills("train")
    assert stills.classes == EXPRESSIONS and len(set(stills.subject.tolist())) == 14
    by_folder = {path.parent.name: EXPRESSIONS[code] for path, code in zip(stills.images, stills.expression)}
    assert by_folder["sad"] == "Sadness" and by_folder["angry"] == "Anger"
    report = check_dataset(root)
    assert not report.errors and "folders of expressions" in report.layout
    assert "train, test; there is no validation split" in render(report)


@pytest.mark.parametrize(
    "splits, expected",
    [
        (("Training", "PublicTest", "PrivateTest"), ("train", "validation")),
        (("train", "val"), ("train", "validation")),
        (("TRAIN", "Valid", "Test"), ("train", "validation")),
        (("train_class", "val_class"), ("train", "validation")),
        (("Train_Aligned_Faces", "Val_Aligned_Faces"), ("train", "validation")),
    ],
)
def test_splits_are_those_delivered(tmp_path, splits, expected):
    root = folders(tmp_path, splits)
    dataset = open_dataset(root)
    assert dataset.splits("expr") == expected
    assert open_stills(root).splits() == ("train", "validation", "test")[: len(splits)]
    assert (len(dataset.test_sequence_names("expr")) > 0) is (len(splits) == 3)


@pytest.mark.parametrize("splits", [("",), ("train",)])
def test_a_fifth_is_held_out_without_another_split(tmp_path, splits):
    folders(tmp_path, splits, images=5)
    sizes = {split: sum(values) for split, values in counts(tmp_path).items()}
    assert sizes == {"train": 28, "validation": 7}
    assert counts(tmp_path)["validation"] == [1] * 7 + [0]
    held_out = [open_dataset(tmp_path, seed).split.tolist() for seed in (0, 0, 1)]
    assert held_out[0] == held_out[1] != held_out[2]


@pytest.mark.parametrize(
    "names",
    [
        ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"),
        ("ANGRY", "DISGUSTED", "FEARFUL", "HAPPY", "NEUTRAL", "SAD", "SURPRISED"),
        ("angry_faces", "0_disgust", "class003 fear", "joy", "neutral (1)", "sorrow", "suprise"),
        ("AN", "DI", "FE", "HA", "NE", "SA", "SU"),
    ],
)
def test_synonyms_in_any_case(tmp_path, names):
    assert counts(folders(tmp_path, names=names))["train"] == [2] * 7 + [0]


def test_contempt_is_affectnets_class_for_backbones_and_other_for_heads(tmp_path):
    root = folders(tmp_path, names=EIGHT)
    stills = open_stills(root).stills("train")
    assert stills.classes == AFFECTNET and np.bincount(stills.expression).tolist() == [2] * 8
    assert counts(root)["train"] == [2] * 8
    assert any(problem.kind == "contempt" for problem in check_dataset(root).problems)


def test_what_is_not_read_is_named(tmp_path):
    root = folders(tmp_path)
    image(root / "train/tired/1.png")
    image(root / "extra/1.png")
    (root / "train/fear/lost.png").symlink_to(root / "nowhere.png")
    image(root / "train/happy/more/1.png")
    write(root / "train/sad/notes.txt", "x")
    for litter in ("train/__MACOSX/happy/._1.png", "train/happy/._im0.png", "train/.DS_Store", "test/sad/Thumbs.db"):
        write(root / litter, "x")
    report = check_dataset(root)
    assert not report.errors
    problems = {problem.file.relative_to(root).as_posix(): problem for problem in report.problems}
    assert any("1 images are missing (first:" in problem.message for problem in report.warnings)
    assert "'tired' is not a known expression" in problems["train/tired"].message
    assert problems["extra"].kind == "unread folder"
    assert "first: more" in problems["train/happy"].message and "first: notes.txt" in problems["train/sad"].message
    assert not any(part in path for path in problems for part in ("MACOSX", "._", "Thumbs"))
    assert len(open_stills(root).stills("train")) == 14


@pytest.mark.parametrize("first, names", [(0, "{}"), (1, "{}"), (1, "class{:03d}")])
def test_numbers_are_never_guessed(tmp_path, first, names):
    root = folders(tmp_path, names=[names.format(number) for number in range(first, first + 7)])
    for opened in (open_dataset, open_stills, check_dataset):
        with pytest.raises(InputError, match=r"are numbers.*expressions.csv.*If they are people"):
            opened(root)
    rows = [f"{names.format(first + index)},{name}" for index, name in enumerate(FER)]
    write(root / "expressions.csv", "folder,expression", *rows)
    assert counts(root)["train"] == [2] * 7 + [0]


@pytest.mark.parametrize(
    "row, words", [("0,melancholic", ":2: 'melancholic' is not a known"), ("9,anger", ":2: no folder '9'")]
)
def test_mistakes_in_the_mapping_are_named(tmp_path, row, words):
    root = folders(tmp_path, names=["0", "1"])
    write(root / "expressions.csv", "folder,expression", row)
    with pytest.raises(InputError, match=words):
        open_dataset(root)


def test_raf_db_is_known_by_the_names_of_its_images(tmp_path):
    for split in ("train", "test"):
        for number in range(1, 8):
            image(tmp_path / f"DATASET/{split}/{number}/{split}_0000{number}_aligned.jpg")
    assert counts(tmp_path / "DATASET")["train"] == [1] * 7 + [0]
    stills = open_stills(tmp_path / "DATASET").stills("train")
    assert EXPRESSIONS[stills.expression[0]] == "Surprise"


def test_raf_db_as_released(tmp_path):
    rows = [f"{split}_0000{number}.jpg {number}" for split in ("train", "test") for number in range(1, 8)]
    write(tmp_path / "basic/EmoLabel/list_patition_label.txt", *rows)
    for row in rows:
        image(tmp_path / f"basic/Image/aligned/{row.partition('.')[0]}_aligned.jpg")
    for root in (tmp_path, tmp_path / "basic"):
        assert counts(root) == {split: [1] * 7 + [0] for split in ("train", "validation")}
    assert EXPRESSIONS[open_stills(tmp_path).stills("train").expression[3]] == "Happiness"
    (tmp_path / "basic/Image/aligned/train_00001_aligned.jpg").unlink()
    assert any(problem.kind == "missing image" for problem in check_dataset(tmp_path).problems)
    write(tmp_path / "basic/EmoLabel/list_patition_label.txt", *rows, "train_00009.jpg 12")
    with pytest.raises(InputError, match="label.txt:15: 'train_00009.jpg 12' is not an image and a number"):
        open_dataset(tmp_path)


def test_people_are_still_people(tmp_path):
    """Identity folders may have any name; a few that are words do not make them expressions."""
    for name in ("Joy", "Grace", "Hope", "n000001", "m.0123", "Sad Sam"):
        image(tmp_path / f"train/{name}/1.jpg")
    for name in ("000001", "000002", "s1", "s2"):
        image(tmp_path / f"ids/train/{name}/1.jpg")
    assert open_stills(tmp_path / "ids").stills("train").subjects == ("000001", "000002", "s1", "s2")
    assert open_stills(tmp_path).stills("train").subjects == ("Grace", "Hope", "Joy", "Sad Sam", "m.0123", "n000001")
    assert open_stills(vggface2(tmp_path / "v")).layout.startswith("VGGFace2")


@pytest.mark.parametrize(
    "names",
    [[f"AF{number:02d}" for number in range(1, 6)], ["An", "Su"], ["An", "Su", "Maria", "Bob"], ["Ha", "Ne", "Sa"]],
)
def test_people_with_codes_of_two_letters(tmp_path, names):
    """KDEF names women AF01 to AF35, and An and Su are people."""
    stills = open_stills(folders(tmp_path, ("train",), names))
    assert stills.layout.startswith("VGGFace2") and stills.stills("train").subjects == tuple(sorted(names))
    assert not check_dataset(tmp_path).warnings


@pytest.mark.parametrize(
    "names",
    [
        ("an", "di", "fe", "su"),
        ("happy", "sad", "neu"),
        ("happily_surprised", "ne"),
        ("angry", "not_happy", "sad", "bob"),
    ],
)
def test_few_codes_and_words_of_expressions(tmp_path, names):
    assert open_stills(folders(tmp_path, ("train",), names)).layout.startswith("folders of expressions")


def test_folders_that_mention_expressions_are_no_people(tmp_path):
    folders(tmp_path / "a", ("train",), ("happy", "not_happy"), images=5)
    assert "'not_happy' is not a known expression" in render(check_dataset(tmp_path / "a"))
    folders(tmp_path / "b", names=("happily_surprised", "sadly angry"))
    with pytest.raises(InputError, match="happily_surprised, .* are not single expressions; list them in"):
        open_stills(tmp_path / "b")


def test_images_without_an_expression_are_named(tmp_path):
    image(folders(tmp_path) / "test/extra.jpg")
    image(tmp_path / "loose.jpg")
    named = [problem.file for problem in check_dataset(tmp_path).problems if problem.kind == "unread image"]
    assert named == [tmp_path, tmp_path / "test"]


def test_digests_of_labels_tell_expressions_and_splits_apart(tmp_path):
    digests = {open_dataset(folders(tmp_path / "a")).labels_digest("expr", "train")}
    digests.add(open_dataset(folders(tmp_path / "b")).labels_digest("expr", "train"))
    assert len(digests) == 1
    (tmp_path / "b/train/happy/im0.png").rename(tmp_path / "b/train/sad/moved.png")
    digests.add(open_dataset(tmp_path / "b").labels_digest("expr", "train"))
    digests.add(open_dataset(folders(tmp_path / "c", ("train", "val"))).labels_digest("expr", "train"))
    assert len(digests) == 3


def test_folders_without_images_are_an_error(tmp_path):
    (tmp_path / "train/happy/1").mkdir(parents=True)
    (tmp_path / "train/sad").mkdir()
    with pytest.raises(InputError, match="no image in any of its 2 folders of expressions"):
        open_dataset(tmp_path)


def test_files_of_every_format_are_listed(tmp_path):
    for suffix in ("gif", "jfif", "avif", "jp2", "webp", "tif", "JPG", "heic"):
        path = image(tmp_path / "train/happy" / f"a.{suffix}")
        Image.new("RGB", (16, 16)).save(path, "GIF")
    image(tmp_path / "train/sad/1.jpg")
    assert len(open_stills(tmp_path).stills("train")) + len(open_stills(tmp_path).stills("validation")) == 9


@pytest.mark.parametrize("opened", [open_dataset, open_stills])
def test_table_that_cannot_be_read_beside_folders_of_expressions(tmp_path, opened):
    """Kaggle's copy of AffectNet has a list with other columns; its labels differ from the folders."""
    folders(tmp_path, ("",), names=EIGHT)
    write(tmp_path / "labels.csv", ",pth,label,relFCs", "0,anger/im0.png,surprise,0.87")
    with pytest.raises(InputError, match=r"labels.csv:1: .*its folders of expressions instead, move labels.csv"):
        opened(tmp_path)
    (tmp_path / "labels.csv").unlink()
    assert opened(tmp_path).layout.startswith("folders of expressions")
