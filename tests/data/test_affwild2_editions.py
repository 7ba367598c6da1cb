"""Names of annotations and lists in the third to tenth ABAW challenge: each file is read or named."""

import shutil
import unicodedata
from pathlib import Path

import pytest

from harness.data.affwild2 import AffWild2
from harness.data.check import check_dataset
from harness.data.registry import is_dataset, open_dataset
from harness.data.splits import labels_fingerprint
from harness.utils.errors import InputError
from tests.helpers.affwild2_checks import ids, messages, move
from tests.helpers.data_folders import (
    ABSENT,
    ANNOTATIONS,
    AU,
    EXPR,
    HEADERS,
    MTL_HEADER,
    TEST_LISTS,
    VA,
    annotate,
    crops,
    small_abaw3,
    write,
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return ids(small_abaw3(tmp_path_factory.mktemp("plain")))


SPLIT_NAMES = [("Train_Set", "Validation_Set"), ("Training_Set", "Val_Set"), ("train/train", "validation set")]
EDITIONS = [
    ("6th_ABAW_Annotations", "EXPR_Recognition_Challenge", VA, AU, "MTL_Challenge"),
    ("6th ABAW Annotations", "EXPR_Recognition_Challenge", VA, AU, "MTL_Challenge/MTL_Challenge"),
    ("annotations/annotations", "EXPR_Set", "VA_Set", "AU_Set", "MTL_Set"),
    ("ABAW Annotations", "Expression_Recognition_Challenge", "Valence_Arousal_Estimation_Challenge",
     "Action_Unit_Detection_Challenge", "Multi_Task_Learning_Challenge"),
    ("9th ABAW Annotations-20250301T101010Z-001/9th ABAW Annotations", "expr_recognition_challenge",
     "va_estimation_challenge", "au_detection_challenge", "Multi-Task-Learning_Challenge"),
    ("6th_ABAW", "EXPR_Recognition_Challenge", f"{VA}/annotations", AU, "MTL_Challenge"),
    ("", "EXPR_Recognition_Challenge/EXPR_Recognition_Challenge", f"{VA}/{VA}", AU, "MTL_Challenge"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(EDITIONS)), ids=[edition[0] or "." for edition in EDITIONS])
def test_names_of_later_editions(tmp_path, expected, number):
    annotations, expr, va, au, mtl = EDITIONS[number]
    train, validation = SPLIT_NAMES[number % len(SPLIT_NAMES)]
    small_abaw3(tmp_path, "old")
    for old, new in ((EXPR, expr), (VA, va), (AU, au)):
        for split, folder in (("Train_Set", train), ("Validation_Set", validation)):
            move(tmp_path, f"old/{old}/{split}", f"{annotations}/{new}/{folder}")
        (tmp_path / "old" / old).rmdir()
    move(tmp_path, "old/MTL_Challenge", f"{annotations}/{mtl}")
    (tmp_path / "old").rmdir()
    assert is_dataset(tmp_path)
    dataset = open_dataset(tmp_path)
    assert isinstance(dataset, AffWild2) and dataset.tasks() == ("expr", "va", "au", "mtl")
    assert labels_fingerprint(dataset, "expr") == expected[1]
    report = check_dataset(tmp_path, images=False)
    assert report.errors == () and [p for p in report.problems if p.kind == "not read"] == []
    assert "not read" not in dict(report.summary)


@pytest.mark.parametrize("place", ["", "annotations", ANNOTATIONS])
def test_multitask_files_of_the_fourth_and_seventh_challenge(tmp_path, place):
    crops(tmp_path, "video1", [1])
    crops(tmp_path, "video2", [1])
    for name, video in (("training_set_annotations.txt", "video1"), ("validation_set_annotations.txt", "video2")):
        write(tmp_path / place / name, MTL_HEADER, f"{video}/00001.jpg,0,0,1,{ABSENT}")
    dataset = open_dataset(tmp_path)
    assert dataset.tasks() == ("mtl",) and dataset.labels("mtl", "validation").sequences == ("video2",)


def test_folder_of_data_sets_is_no_data_set(tmp_path):
    for name in ("one", "test_annotations_1"):
        write(small_abaw3(tmp_path / name, "") / TEST_LISTS["expr"], "video9")
    assert not is_dataset(tmp_path) and is_dataset(tmp_path / "one") and is_dataset(tmp_path / "test_annotations_1")


@pytest.mark.parametrize("name", ["LSD_Challenge", "Compound_Expression_Recognition_Challenge", "EMI_Challenge"])
@pytest.mark.parametrize("place", ["", ANNOTATIONS])
def test_other_challenges_are_named(tmp_path, name, place):
    small_abaw3(tmp_path)
    write(tmp_path / place / name / "Train_Set/video1.txt", "0")
    ((severity, where, what),) = messages(tmp_path, "not read")
    assert (severity, where) == ("warning", str(Path(place) / name)) and "challenge that is not supported" in what


def test_files_and_folders_beside_annotations_are_named(tmp_path):
    small_abaw3(tmp_path)
    for name in (f"{EXPR}/Train_Set/video2.csv", f"{EXPR}/Train_Set/sub/video2.txt", f"{VA}/Folds/1.txt", "ReadMe.pdf"):
        write(tmp_path / ANNOTATIONS / name)
    told = {where: what for _, where, what in messages(tmp_path, "not read")}
    assert told == {
        ANNOTATIONS: "ReadMe.pdf is not read: not named as annotations are",
        f"{ANNOTATIONS}/{EXPR}/Train_Set": "sub/, video2.csv are not read: not named as annotations are",
        f"{ANNOTATIONS}/{VA}": "Folds/ is not read: not named as annotations are",
    }
    shutil.rmtree(tmp_path / ANNOTATIONS / AU)
    (tmp_path / ANNOTATIONS / AU).mkdir()
    ((_, where, what),) = messages(tmp_path, "no annotations")
    assert where == f"{ANNOTATIONS}/{AU}" and "no annotations of task au in it" in what


def test_suffix_in_upper_case(tmp_path):
    small_abaw3(tmp_path)
    folder = tmp_path / ANNOTATIONS / VA / "Train_Set"
    (folder / "video1_left.txt").rename(folder / "video1_left.TXT")
    assert open_dataset(tmp_path).labels("va", "train").sequences == ("7-30-640x480", "video1_left")
    move(tmp_path, f"{ANNOTATIONS}/MTL_Challenge/train_set.txt", f"{ANNOTATIONS}/MTL_Challenge/Train_Set.TXT")
    assert len(open_dataset(tmp_path).labels("mtl", "train")) == 4


def test_blanks_around_the_cells_of_multitask_rows(tmp_path):
    small_abaw3(tmp_path)
    before = open_dataset(tmp_path).labels("mtl", "train")
    path = tmp_path / ANNOTATIONS / "MTL_Challenge/train_set.txt"
    header, *rows = path.read_text().splitlines()
    rows = [f" {row.replace('.jpg,', '.jpg , ')}\t" for row in rows]
    path.write_text("\n".join([header, *rows]) + "\n")
    after = open_dataset(tmp_path).labels("mtl", "train")
    assert after.sequences == before.sequences and after.frame.tolist() == before.frame.tolist()
    assert all((after.targets[name] == before.targets[name]).all() for name in before.targets)
    assert check_dataset(tmp_path, images=False).errors == ()
    write(path, header, rows[0], " v1 / x.jpg , 0,0,1," + ABSENT)
    assert [where.rpartition(":")[2] for _, where, _ in messages(tmp_path, "annotation")] == ["3"]
    write(tmp_path / TEST_LISTS["mtl"], MTL_HEADER, " video9/00001.jpg\t", "video9/00002.jpg , ")
    assert open_dataset(tmp_path).sequence_names("mtl", "test") == ("video9",)


@pytest.mark.parametrize(
    "second",
    [
        f"{ANNOTATIONS}/{VA}/Train_Set/video1_left.TXT",
        f"{ANNOTATIONS}/{VA}/Training_Set/video1_left.txt",
        f"6th_ABAW_Annotations/{VA}/Train_Set/video1_left.txt",
    ],
)
def test_two_files_of_one_video_are_an_error_of_check_and_reader(tmp_path, second):
    small_abaw3(tmp_path)
    write(tmp_path / second, HEADERS[VA], "0,0")
    ((severity, _, what),) = messages(tmp_path, "two annotations")
    assert severity == "error" and "video 'video1_left' has two annotation files in the train split of task va" in what
    assert what.endswith("/video1_left.txt, keep one") or what.endswith("/video1_left.TXT, keep one")
    dataset = open_dataset(tmp_path)
    with pytest.raises(InputError, match="video 'video1_left' has two annotation files"):
        dataset.labels("va", "train")
    assert len(dataset.labels("expr", "train")) == 10


def test_two_releases_side_by_side_are_one_error_for_each_split(tmp_path):
    small_abaw3(tmp_path)
    shutil.copytree(tmp_path / ANNOTATIONS, tmp_path / "6th_ABAW_Annotations")
    for path in (tmp_path / "6th_ABAW_Annotations").rglob("*.txt"):
        path.write_text(path.read_text().replace("0", "1"))
    told = messages(tmp_path, "two annotations")
    assert len(told) == 8 and sum("(as 1 other video)" in what for _, _, what in told) == 6
    with pytest.raises(InputError, match="there are two files in the validation split of task mtl; the other is 6th_"):
        open_dataset(tmp_path).labels("mtl", "validation")


def test_copies_of_annotations_are_noted_and_not_read(tmp_path, expected):
    small_abaw3(tmp_path)
    shutil.copytree(tmp_path / ANNOTATIONS, tmp_path / "annotations_backup")
    windows = tmp_path / "annotations_backup" / VA / "Train_Set/video1_left.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + windows.read_bytes().replace(b"\n", b"\r\n"))
    assert ids(tmp_path) == expected and check_dataset(tmp_path, images=False).errors == ()
    notes = {where: what for _, where, what in messages(tmp_path, "not read")}
    assert len(notes) == 7 and notes[f"annotations_backup/{VA}/Train_Set"] == (
        f"2 files with the same content as in {ANNOTATIONS}/{VA}/Train_Set/; not read"
    )
    windows.write_text("valence,arousal\n")
    assert [severity for severity, _, _ in messages(tmp_path, "two annotations")] == ["error"]


def test_annotations_of_disjoint_videos_are_merged(tmp_path):
    small_abaw3(tmp_path)
    annotate(tmp_path, VA, "Train_Set", "video5", ["0,0"], annotations="annotations_of_new_vids")
    assert open_dataset(tmp_path).sequence_names("va", "train") == ("7-30-640x480", "video1_left", "video5")


LIST_PLACES = [
    ("", "Expression_Recognition_Challenge_test_set_release.txt"),
    ("Test_set", "expr_test_set_release.txt"),
    ("test_release/names_of_videos_in_each_test_set/names_of_videos_in_each_test_set", TEST_LISTS["expr"].upper()),
    (f"{ANNOTATIONS}/{EXPR}/Test_Set", "EXPR_Challenge_Test_Set_Release.TXT"),
    ("CVPR_2022_3rd_ABAW_Competition _Test_Set_Release_&_Submission_Instructions", TEST_LISTS["expr"]),
]
FRAME_LIST_PLACES = [
    ("", "ABAW_Expr_test_set_sample.txt"),
    ("test_set/prediction_files_format", "CVPR_6th_ABAW_Expr_test_set_sample.txt"),
    ("test_set_examples/test_set_examples 2", "CVPR_5th_ABAW_EXPR_test_set_example.txt"),
    ("", "ICCV_9th_ABAW_EXPR_test_set_sample.txt"),
]


@pytest.mark.parametrize(("place", "name"), LIST_PLACES)
def test_lists_of_test_videos_of_later_editions(tmp_path, place, name):
    small_abaw3(tmp_path)
    write(tmp_path / place / name, "video9", "video8")
    assert open_dataset(tmp_path).sequence_names("expr", "test") == ("video9", "video8")
    assert messages(tmp_path, "not read") == []


@pytest.mark.parametrize(("place", "name"), FRAME_LIST_PLACES)
def test_lists_of_test_frames_of_later_editions(tmp_path, place, name):
    small_abaw3(tmp_path)
    path = write(tmp_path / place / name, f"image_location,{HEADERS[EXPR]}", "video9/00001.jpg,", "video9/00002.jpg,")
    dataset = open_dataset(tmp_path)
    assert dataset.sequence_names("expr", "test") == ("video9",)
    assert dict(dataset.folders.frame_lists) == {"expr": path} and messages(tmp_path, "not read") == []


def test_two_lists_of_one_task_must_agree(tmp_path):
    small_abaw3(tmp_path)
    write(tmp_path / TEST_LISTS["expr"], "video9", "video8")
    other = write(tmp_path / "test_set/Expression_Recognition_Challenge_test_set_release.txt", "video9", "video8")
    assert open_dataset(tmp_path).sequence_names("expr", "test") == ("video9", "video8")
    write(other, "video9")
    ((severity, where, what),) = messages(tmp_path, "test list")
    assert (severity, where) == ("error", str(other.relative_to(tmp_path))) and "another test list of task expr" in what
    with pytest.raises(InputError, match="another test list of task expr than"):
        open_dataset(tmp_path).sequence_names("expr", "test")


def test_unknown_lists_are_named(tmp_path):
    small_abaw3(tmp_path)
    write(tmp_path / "test_set/EMI_test_set_release.txt", "video9")
    ((_, where, what),) = messages(tmp_path, "not read")
    assert where == "test_set" and what == "EMI_test_set_release.txt is not read: not named as test lists are"


NFC, NFD = "café", unicodedata.normalize("NFD", "café")
