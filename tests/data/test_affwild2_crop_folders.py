"""Folders of crops as the organizers deliver them and as people unpack them: each is read or named."""

import json
import shutil

import pytest

from harness.data import validation_checks
from harness.data.check import check_dataset
from harness.data.fingerprint import dataset_digest
from harness.data.registry import open_dataset
from harness.utils.errors import InputError
from harness.utils.text import plural
from tests.helpers.affwild2_checks import VIDEOS, ids, messages, move
from tests.helpers.data_folders import ANNOTATIONS, EXPR, TEST_LISTS, VA, crops, small_abaw3, write


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
    assert where == name and what.startswith("1 folder of crops not read, because cropped_aligned/ has another kind of")


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
    for target in (".", "..", "../cropped"):
        (tmp_path / "cropped" / f"up{len(target)}").symlink_to(target)
    assert ids(tmp_path) == expected and set(open_dataset(tmp_path).sequences) == set(VIDEOS)
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
    assert "1 folder of crops not read, because cropped/ has another kind of crops" in told["cropped_aligned"]
    assert "1 video with crops only here, such as 'video9'" in told["cropped_aligned/cropped_aligned_new_50_vids"]
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
