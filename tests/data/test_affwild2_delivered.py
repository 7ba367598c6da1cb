"""Aff-Wild2 as the organizers deliver it and as people unpack it: what is in the folder is read or named."""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from harness.data import validation_checks
from harness.data.affwild2 import AffWild2
from harness.data.check import check_dataset, render
from harness.data.fingerprint import dataset_digest
from harness.data.registry import is_dataset, open_dataset
from harness.data.splits import labels_fingerprint
from harness.utils.errors import InputError
from harness.utils.text import plural
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

VIDEOS = ["7-30-640x480", "video1_left", "video2", "video3"]


def ids(root):
    """Digests of images and labels, which do not depend on where the files are."""
    dataset = open_dataset(root)
    return dataset_digest(dataset), labels_fingerprint(dataset, "expr"), labels_fingerprint(dataset, "mtl")


def messages(root, kind=None):
    """Where and what: the errors and warnings of a check, relative to the folder."""
    problems = check_dataset(root, images=False).problems
    return [(p.severity, p.location(root), p.message) for p in problems if kind in (None, p.kind)]


def move(root, source, target):
    old, new = root / source, root / target.lstrip("/")
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return ids(small_abaw3(tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize(
    "folders",
    [
        ("cropped_aligned", "cropped_aligned_new_50_vids"),
        ("cropped_aligned/cropped_aligned",),
        ("cropped_aligned/cropped_aligned", "cropped_aligned/cropped_aligned_new_50_vids"),
        ("cropped_aligned", "cropped_aligned/cropped_aligned_new_50_vids"),
        ("cropped_aligned_images/cropped_aligned", "cropped_aligned_images/cropped_aligned_new_50_vids"),
        (
            "cropped_aligned-20240318T112233Z-001/cropped_aligned",
            "cropped_aligned-20240318T112233Z-002/cropped_aligned",
        ),
        ("batch1 (1)/cropped_aligned", "batch2/cropped_aligned_new_50_vids"),
        ("batch1", "batch2", "cropped_new_50_vids"),
        ("cropped_images/batch1", "cropped_images/batch2"),
        ("Faces/cropped_aligned", "testset/cropped_aligned"),
        ("Cropped-Aligned", "cropped aligned new 50 vids"),
        ("my_faces/Cropped",),
        ("crops",),
    ],
    ids=lambda folders: folders[0],
)
def test_crops_in_any_folders_are_one_data_set(tmp_path, expected, folders):
    small_abaw3(tmp_path)
    for number, video in enumerate(VIDEOS):
        move(tmp_path, f"cropped/{video}", f"{folders[number % len(folders)]}/{video}")
    (tmp_path / "cropped").rmdir()
    assert ids(tmp_path) == expected
    report = check_dataset(tmp_path)
    assert report.errors == () and report.images == report.crops == 20 and report.sequences == 4
    assert messages(tmp_path, "not read") == [] and messages(tmp_path, "no crop") == []
    assert sorted(text for label, text in report.summary if label == "crops") == sorted(
        f"{folder}/, {plural(len(VIDEOS[i :: len(folders)]), 'folder')}" for i, folder in enumerate(folders)
    )


def test_a_folder_of_each_video_unpacked_into_its_own_name(tmp_path, expected):
    small_abaw3(tmp_path)
    for video in VIDEOS:
        move(tmp_path, f"cropped/{video}", f"crops/{video}/{video}")
    (tmp_path / "cropped").rmdir()
    assert ids(tmp_path) == expected


def test_video_with_other_crops_in_a_second_folder_is_an_error_of_the_check_and_a_notice(tmp_path, expected):
    small_abaw3(tmp_path, folder="cropped_aligned")
    for number, video in enumerate(("video2", "video3")):
        crops(tmp_path, video, range(1, 6 - number), folder="cropped_aligned_new_50_vids", shade=7)
        write(tmp_path / "cropped_aligned_new_50_vids" / video / "00002.jpg", "another size")
    assert ids(tmp_path) == expected
    errors = [m for m in messages(tmp_path) if m[0] == "error"]
    assert [where for _, where, _ in errors] == ["cropped_aligned/video2", "cropped_aligned/video3"]
    assert errors[0][2] == (
        "other crops of video 'video2' are in cropped_aligned_new_50_vids/video2/; those of cropped_aligned/video2/ "
        "are read, keep one folder"
    )
    (notice,) = open_dataset(tmp_path).notices()
    assert notice.startswith(f"{tmp_path}/cropped_aligned/video2: {errors[0][2]} (and 1 more problem;")


@pytest.mark.parametrize("other", ["Faces/cropped_aligned", "batch1/cropped_aligned"])
def test_crops_in_the_folder_of_the_release_come_first(tmp_path, expected, other):
    small_abaw3(tmp_path, folder="cropped_aligned")
    crops(tmp_path, "video2", [1, 2], folder=other, shade=7)
    assert ids(tmp_path) == expected


def test_copies_of_crops_are_noted_and_not_read(tmp_path, expected):
    small_abaw3(tmp_path, folder="cropped_aligned")
    shutil.copytree(tmp_path / "cropped_aligned/video2", tmp_path / "cropped_aligned_new_50_vids/video2")
    write(tmp_path / "cropped_aligned_new_50_vids/video2/.DS_Store")
    assert ids(tmp_path) == expected and open_dataset(tmp_path).notices() == ()
    ((severity, where, what),) = messages(tmp_path, "not read")
    assert (severity, where) == ("warning", "cropped_aligned_new_50_vids")
    assert what == "1 folder with the same crops as in cropped_aligned/; not read"


@pytest.mark.parametrize(
    "name", ["cropped_aligned_old", "cropped_aligned_masked", "cropped_aligned_old/cropped_aligned"]
)
def test_crops_beside_those_of_a_release_are_named_and_not_read(tmp_path, expected, name):
    small_abaw3(tmp_path, folder="cropped_aligned")
    crops(tmp_path, "video2", [1, 2], folder=name, shade=7)
    assert ids(tmp_path) == expected and check_dataset(tmp_path, images=False).errors == ()
    ((_, where, what),) = messages(tmp_path, "not read")
    assert where == name and what.startswith("1 folder of crops not read, as cropped_aligned/ has another kind of")


def test_empty_folder_of_a_video_and_a_link_are_no_second_folder(tmp_path, expected):
    small_abaw3(tmp_path, folder="cropped_aligned")
    (tmp_path / "cropped_aligned_new_50_vids/video2").mkdir(parents=True)
    (tmp_path / "cropped_aligned_new_50_vids/video3").symlink_to(tmp_path / "cropped_aligned/video3")
    assert ids(tmp_path) == expected and check_dataset(tmp_path, images=False).errors == ()


@pytest.mark.parametrize("up", ["..", "."])
@pytest.mark.parametrize("part", ["cropped", ANNOTATIONS, f"{ANNOTATIONS}/{EXPR}/Train_Set"])
def test_links_to_data_one_level_up_are_read(tmp_path, expected, part, up):
    root = small_abaw3(tmp_path / "abaw")
    link = root / part
    for entry in list(link.iterdir()):
        entry.rename(link.parent / up / entry.name)
    link.rmdir()
    link.symlink_to(up)
    dataset = open_dataset(root)
    assert ids(root)[1:] == expected[1:] and dataset_digest(dataset, names=VIDEOS) == expected[0]
    assert {name for name in dataset.sequences if name not in VIDEOS} <= {"abaw", "cropped", ANNOTATIONS}
    assert check_dataset(root, images=False).errors == ()


def test_links_into_folders_above_end_and_are_named(tmp_path, expected):
    small_abaw3(tmp_path)
    for folder in ("cropped/video2", f"{ANNOTATIONS}/{VA}", f"{ANNOTATIONS}/{VA}/Train_Set"):
        (tmp_path / folder / "Train_Set_").symlink_to(tmp_path / "cropped" if "cropped" in folder else tmp_path)
        (tmp_path / folder / "train").symlink_to(tmp_path / folder)
    (tmp_path / "up").symlink_to("..")
    assert ids(tmp_path) == expected and dict(open_dataset(tmp_path).summary())["not read"] == "up/"
    assert (f"{ANNOTATIONS}/{VA}/Train_Set_") in [where for _, where, _ in messages(tmp_path, "not read")]
    (tmp_path / "cropped/ring").symlink_to(tmp_path / "cropped/gnir")
    (tmp_path / "cropped/gnir").symlink_to(tmp_path / "cropped/ring")
    assert ids(tmp_path) == expected
    assert any("2 files outside of the folders of videos, such as gnir" in what for _, _, what in messages(tmp_path))


def test_crops_of_another_kind_are_named_and_not_mixed(tmp_path, expected):
    small_abaw3(tmp_path)
    crops(tmp_path, "video2", [1], folder="cropped_aligned")
    crops(tmp_path, "video9", [1], folder="cropped_aligned/cropped_aligned_new_50_vids")
    crops(tmp_path, "video9", [1], folder="frames_112")
    assert ids(tmp_path) == expected
    told = {where: what for kind in ("not read", "videos not read") for _, where, what in messages(tmp_path, kind)}
    assert set(told) == {"cropped_aligned", "cropped_aligned/cropped_aligned_new_50_vids", "frames_112"}
    assert "1 folder of crops not read, as cropped/ has another kind of crops" in told["cropped_aligned"]
    assert "1 video only here, such as 'video9'" in told["cropped_aligned/cropped_aligned_new_50_vids"]
    assert "rename it to cropped if these are crops" in told["frames_112"]


def test_videos_with_crops_of_another_kind_only_are_told_before_a_run(tmp_path, capsys):
    small_abaw3(tmp_path)
    crops(tmp_path, "video2", [1], folder="cropped_aligned")
    assert open_dataset(tmp_path).notices() == ()
    move(tmp_path, "cropped/video3", "cropped_aligned/cropped_aligned_new_50_vids/video5")
    (notice,) = open_dataset(tmp_path).notices()
    assert notice.startswith(f"{tmp_path}/cropped_aligned/cropped_aligned_new_50_vids: 1 folder of crops not read")
    validation_checks.main(str(tmp_path), json.dumps({"name": "published"}), "[0]", "va")
    assert json.loads(capsys.readouterr().out)["warnings"] == [notice]


def test_cropped_without_any_crop_does_not_hide_the_aligned_ones(tmp_path, expected):
    small_abaw3(tmp_path, folder="cropped_aligned")
    (tmp_path / "cropped/video2").mkdir(parents=True)
    assert ids(tmp_path) == expected


def test_files_beside_the_videos_and_litter(tmp_path, expected):
    small_abaw3(tmp_path)
    for name in ("cropped/.DS_Store", "cropped/Thumbs.db", "cropped/__MACOSX/video2/._00001.jpg", "._cropped"):
        write(tmp_path / name)
    for name in (
        f"{ANNOTATIONS}/.DS_Store",
        f"{ANNOTATIONS}/{EXPR}/Train_Set/._video2.txt",
        "__MACOSX/cropped/a/1.jpg",
    ):
        write(tmp_path / name)
    assert ids(tmp_path) == expected and messages(tmp_path, "not read") == messages(tmp_path, "file name") == []
    write(tmp_path / "cropped/00001.jpg")
    ((_, where, what),) = messages(tmp_path, "not read")
    assert where == "cropped" and what == "1 file outside of the folders of videos, such as 00001.jpg; not read"


def test_folders_that_are_not_data_are_named_in_the_summary(tmp_path):
    small_abaw3(tmp_path)
    for name in ("batch1/video1.mp4", "openface/video1.csv", "README.md", "videos/video1.mp4", "test_videos/a.mp4"):
        write(tmp_path / name)
    summary = dict(check_dataset(tmp_path, images=False).summary)
    assert summary["not read"] == "README.md, batch1/, openface/, test_videos/"


@pytest.mark.parametrize("name", ["frame_00001.jpg", "00001.webp"])
def test_annotated_videos_with_files_but_without_crops_are_a_notice(tmp_path, capsys, name):
    small_abaw3(tmp_path)
    for video in ("video2", "video3"):
        for path in (tmp_path / "cropped" / video).iterdir():
            path.rename(path.with_name(f"frame_{path.name}") if name.startswith("frame") else path.with_suffix(".webp"))
        if video == "video2":
            (notice,) = open_dataset(tmp_path).notices()
            assert notice.startswith(f"{tmp_path}/cropped/video2/{name}: 1 video without crops, although")
            write(tmp_path / "cropped/unlabeled" / name)
            validation_checks.main(str(tmp_path), json.dumps({"name": "published"}), "[0]", "va")
            assert json.loads(capsys.readouterr().out) == {"warnings": [notice]}
    (notice,) = open_dataset(tmp_path).notices()
    assert "2 videos without crops" in notice
    validation_checks.main(str(tmp_path), json.dumps({"name": "published"}), "[0]", "va")
    assert "none of the labeled rows of the validation split" in json.loads(capsys.readouterr().out)["error"]
    told = [where for _, where, _ in messages(tmp_path, "file name")]
    assert told == [f"cropped/{video}/{name}" for video in ("unlabeled", "video2", "video3")]


def test_missing_and_empty_folders_of_crops_are_no_notice(tmp_path):
    small_abaw3(tmp_path)
    shutil.rmtree(tmp_path / "cropped/video2")
    shutil.rmtree(tmp_path / "cropped/video3")
    write(tmp_path / "cropped/video3/.DS_Store")
    assert open_dataset(tmp_path).notices() == ()


def test_crops_under_a_name_in_another_case_are_a_suggestion_of_check_and_run(tmp_path):
    small_abaw3(tmp_path)
    move(tmp_path, "cropped/video2", "cropped/VIDEO2")
    if (tmp_path / "cropped/video2").exists():
        pytest.skip("the file system ignores case")
    ((_, _, what),) = messages(tmp_path, "no crop")
    assert what.endswith("has no crop in cropped/; none of its frames can be used; did you mean 'VIDEO2'?")
    (notice,) = open_dataset(tmp_path).notices()
    assert notice == f"{tmp_path}/cropped/VIDEO2: no folder of crops of video 'video2'; did you mean this one?"
    crops(tmp_path, "video2", [1])
    assert open_dataset(tmp_path).notices() == () and messages(tmp_path, "no crop") == []


def test_nothing_usable_is_an_error_of_check_and_reader(tmp_path):
    small_abaw3(tmp_path)
    for path in (tmp_path / "cropped").glob("*/*.jpg"):
        path.rename(path.with_name(f"frame_{path.name}"))
    errors = [what for severity, _, what in messages(tmp_path, "no crop") if severity == "error"]
    assert len(errors) == 8 and "no labeled row of the train split of task va has a readable crop" in " ".join(errors)
    shutil.rmtree(tmp_path / ANNOTATIONS)
    write(tmp_path / TEST_LISTS["expr"], "video2")
    errors = [what for severity, _, what in messages(tmp_path, "no crop") if severity == "error"]
    assert errors == ["no video of the test lists has a readable crop"]


def test_crops_under_a_name_that_is_not_read_are_named_by_the_error(tmp_path):
    small_abaw3(tmp_path, folder="frames_112")
    with pytest.raises(InputError, match=r"annotations but no face crops; .* \(frames_112/ holds folders of numbered"):
        open_dataset(tmp_path)


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
    assert severity == "error" and "two annotation files of video 'video1_left' in the train split of task va" in what
    assert what.endswith("/video1_left.txt, keep one") or what.endswith("/video1_left.TXT, keep one")
    dataset = open_dataset(tmp_path)
    with pytest.raises(InputError, match="two annotation files of video 'video1_left'"):
        dataset.labels("va", "train")
    assert len(dataset.labels("expr", "train")) == 10


def test_two_releases_side_by_side_are_one_error_for_each_split(tmp_path):
    small_abaw3(tmp_path)
    shutil.copytree(tmp_path / ANNOTATIONS, tmp_path / "6th_ABAW_Annotations")
    for path in (tmp_path / "6th_ABAW_Annotations").rglob("*.txt"):
        path.write_text(path.read_text().replace("0", "1"))
    told = messages(tmp_path, "two annotations")
    assert len(told) == 8 and sum("and of 1 other video" in what for _, _, what in told) == 6
    with pytest.raises(InputError, match=r"two files in the validation split of task mtl; the other is 6th_ABAW_Ann"):
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


def renamed(root, crop_name, annotation_name, list_name):
    """The small set with `video3` named in three forms of one name."""
    small_abaw3(root)
    move(root, "cropped/video3", f"cropped/{crop_name}")
    for challenge in (EXPR, VA, AU):
        folder = f"{ANNOTATIONS}/{challenge}/Validation_Set"
        move(root, f"{folder}/video3.txt", f"{folder}/{annotation_name}.txt")
    path = root / ANNOTATIONS / "MTL_Challenge/validation_set.txt"
    path.write_text(path.read_text().replace("video3/", f"{list_name}/"))
    write(root / TEST_LISTS["expr"], list_name)
    return root


IDS_BY_FORM = {
    NFC: ("56a85cadf8a0308f", "3d19b9e439be", "0fc8ae985bc2"),
    NFD: ("26ad1777b526e1f3", "dc31a041afba", "9fea21201035"),
}
"""Digests from before Unicode forms were compared."""


@pytest.mark.parametrize(("crop_name", "other"), [(NFC, NFD), (NFD, NFC), (NFD, NFD), (NFC, NFC)])
def test_composed_and_decomposed_names_are_one_video(tmp_path, crop_name, other):
    root = renamed(tmp_path, crop_name, other, other)
    if (root / "cropped" / (NFC if crop_name == NFD else NFD)).exists():
        pytest.skip("the file system composes names")
    assert ids(root) == (IDS_BY_FORM[crop_name][0], *IDS_BY_FORM[other][1:])
    dataset = open_dataset(root)
    assert sorted(dataset.sequences) == sorted([crop_name, "7-30-640x480", "video1_left", "video2"])
    assert sorted(dataset.sequence_names("va", "validation")) == sorted([crop_name, "video2"])
    assert sorted(dataset.labels("mtl", "validation").sequences) == sorted([crop_name, "video2"])
    assert dataset.sequence_names("expr", "test") == (crop_name,)
    assert dataset.sequences[crop_name].images[0] == root / "cropped" / crop_name / "00001.jpg"
    report = check_dataset(root, images=False)
    assert [p for p in report.problems if p.kind == "no crop"] == [] and report.tests[0].cropped == 1
    assert {counts.coverage for counts in report.counts} == {1.0}


@pytest.mark.parametrize("form", [NFC, NFD])
def test_order_of_the_annotation_files_is_that_of_their_names(tmp_path, form):
    root = renamed(tmp_path, form, form, form)
    annotate(root, VA, "Validation_Set", "cafz", ["0,0"])
    names = [path.name.removesuffix(".txt") for path in (root / ANNOTATIONS / VA / "Validation_Set").iterdir()]
    assert open_dataset(root).labels("va", "validation").sequences == tuple(sorted(names))


def test_names_of_videos_without_crops_are_those_of_lists(tmp_path):
    root = renamed(tmp_path, "video3", NFD, NFC)
    write(root / TEST_LISTS["expr"], f"{NFC}8", f"{NFD}8", f"{NFD}9")
    dataset = open_dataset(root)
    assert dataset.sequence_names("expr", "test") == (f"{NFC}8", f"{NFD}9")
    assert {NFD, f"{NFC}8", f"{NFD}9"} < set(dataset.sequences) and NFC not in dataset.sequences
    assert NFD in dataset.labels("mtl", "validation").sequences


def test_names_that_differ_only_by_their_form_are_errors(tmp_path):
    root = renamed(tmp_path, NFC, NFC, NFC)
    crops(root, NFD, [1])
    annotate(root, VA, "Validation_Set", NFD, ["0,0"])
    if len(list((root / "cropped").iterdir())) == 4:
        pytest.skip("the file system composes names")
    assert [severity for severity, _, _ in messages(root, "two folders")] == ["error"]
    assert [severity for severity, _, _ in messages(root, "two annotations")] == ["error"]


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"vid\xe9o")
    small_abaw3(tmp_path)
    try:
        move(tmp_path, "cropped/video3", f"cropped/{name}")
    except OSError:
        pytest.skip("the file system has names in UTF-8 only")
    for challenge in (EXPR, VA, AU):
        folder = f"{ANNOTATIONS}/{challenge}/Validation_Set"
        move(tmp_path, f"{folder}/video3.txt", f"{folder}/{name}.txt")
    dataset = open_dataset(tmp_path)
    assert dataset_digest(dataset) != dataset_digest(open_dataset(small_abaw3(tmp_path / "ordinary")))
    assert labels_fingerprint(dataset, "va")
    assert dataset.labels("va", "validation").sequences == ("video2", name)
    (tmp_path / "cropped" / name / "00002.jpg").write_bytes(b"no image")
    text = render(check_dataset(tmp_path))
    assert "vid\\udce9o/00002.jpg" in text and text.encode()


def test_folders_that_cannot_be_listed_are_errors_and_do_not_end_the_check(tmp_path):
    small_abaw3(tmp_path)
    locked = [tmp_path / "cropped/video2", tmp_path / ANNOTATIONS / AU / "Train_Set"]
    for folder in locked:
        folder.chmod(0)
    try:
        if os.access(locked[0], os.R_OK):
            pytest.skip("this user reads every folder")
        errors = [where for _, where, _ in messages(tmp_path, "unreadable")]
        assert errors == [f"{ANNOTATIONS}/{AU}/Train_Set", "cropped/video2"] and messages(tmp_path, "no crop") == []
        with pytest.raises(InputError, match="cropped/video2: cannot be listed: Permission denied"):
            dataset_digest(open_dataset(tmp_path))
        (tmp_path / "cropped").chmod(0)
        with pytest.raises(InputError, match="cropped: cannot be listed: Permission denied"):
            open_dataset(tmp_path)
    finally:
        for folder in (tmp_path / "cropped", *locked):
            folder.chmod(0o755)


def test_name_that_cannot_be_stored_is_an_error_of_the_check(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "a\\b", [1])
    ((severity, where, _),) = messages(tmp_path, "video name")
    assert (severity, where) == ("error", "cropped/a\\b")
