"""`data check` of submissions: every fault with file and line."""

import json
from unicodedata import normalize

import pytest

from harness.data.registry import open_dataset
from harness.inference.submission.check import check_submission, render
from harness.inference.submission.frame_sources import FrameCountSources, line_sources, read_dataset_list
from harness.utils.errors import InputError
from tests.helpers.data_folders import EXPR, HEADERS, TEST_LISTS, VA, crops, small_abaw3, write
from tests.inference.submission.test_frame_counts import film

LIST = ("video2_left", "video3")


@pytest.fixture
def lists(tmp_path):
    return write(tmp_path / "Expression_Classification_Challenge_test_set_release.txt", *LIST)


@pytest.fixture
def made(tmp_path):
    """A sound submission of two videos."""
    for video in LIST:
        write(tmp_path / "sub" / f"{video}.txt", HEADERS[EXPR], *map(str, [0, 3, 7, 7]))
    return tmp_path / "sub"


def said(folder, against):
    return [(problem.location(folder), problem.message) for problem in check_submission(folder, against).errors]


def only(folder, against):
    found = said(folder, against)
    assert len(found) == 1, found
    return ": ".join(found[0])


def test_valid_submission_has_no_problems(made, lists):
    report = check_submission(made, lists)
    assert report.problems == () and report.predictions == 8 and report.task == "expr"
    assert "no problems found" in render(report)


def test_missing_and_extra_videos(made, lists):
    (made / "video3.txt").rename(made / "video3_right.txt")
    found = [message for _, message in said(made, lists)]
    assert sorted(found) == [
        "no file video3.txt for video 'video3'",
        "video 'video3_right' is not in Expression_Classification_Challenge_test_set_release.txt",
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ("8", "expression is 8; it must be a class from 0 to 7"),
        ("-1", "expression is -1; it must be a class from 0 to 7"),
        ("", "the line is blank"),
        ("1,2", "2 columns, but 1 are needed"),
        ("nan", "expression is 'nan', not an integer"),
        ("1.0", "expression is '1.0', not an integer"),
    ],
)
def test_faulty_line_is_named(made, lists, line, message):
    write(made / "video3.txt", HEADERS[EXPR], "0", line, "3")
    assert only(made, lists).startswith(f"video3.txt:3: {message}")


def test_report_of_many_faults_is_limited(made, lists):
    write(made / "video3.txt", HEADERS[EXPR], *["8"] * 500, *["x"] * 500)
    report = check_submission(made, lists)
    text = render(report, 5)
    assert text.count("video3.txt:") == 2 and text.count("(500 lines)") == 2
    assert "1,000 errors, 0 warnings; --all" in text and "and 998 more of this kind (submission)" in text
    assert render(report).count("video3.txt:") == 1000


@pytest.mark.parametrize("line", ["nan,0.1", "inf,0.1", "0.2,1.01", "-5,-5"])
def test_valence_and_arousal_are_finite_and_in_range(tmp_path, line):
    write(tmp_path / "sub" / "video1.txt", HEADERS[VA], "0.1,0.2", line)
    assert "video1.txt:3: " in only(tmp_path / "sub", write(tmp_path / "list.txt", "video1"))


def test_wrong_header_is_named(made, lists):
    write(made / "video3.txt", "Neutral,Anger", "0")
    assert only(made, lists).startswith("video3.txt:1: the header is 'Neutral,Anger'")


def with_test_list(root, *videos):
    small_abaw3(root)
    for video in videos:
        crops(root, video, range(1, 6))
    write(root / "Expression_Classification_Challenge_test_set_release.txt", *videos)
    return root


def test_lines_are_counted_against_the_video_files_of_a_data_set(made, tmp_path):
    data = with_test_list(tmp_path / "data", *LIST)
    film(data / "videos" / "video2.mp4", 4)
    film(data / "videos" / "video3.avi", 4)
    write(made / "video2_left.txt", HEADERS[EXPR], *"01234")
    assert only(made, data) == "video3.txt:5: 4 lines of predictions, but video 'video3' needs 5"


@pytest.mark.parametrize(("crop_form", "list_form"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_unicode_forms_of_a_name_are_one_video(tmp_path, crop_form, list_form):
    crop_name, name = normalize(crop_form, "café"), normalize(list_form, "café")
    data = with_test_list(tmp_path / "data", crop_name)
    write(data / TEST_LISTS["expr"], name)
    film(data / "videos" / f"{name}.mp4", 4)
    write(tmp_path / "sub" / f"{name}.txt", HEADERS[EXPR], *"01234")
    assert said(tmp_path / "sub", data) == said(tmp_path / "sub", data / TEST_LISTS["expr"]) == []
    dataset = open_dataset(data)
    counted = write(tmp_path / "frames.csv", f"{name},9")
    assert line_sources(dataset, "expr", "test", FrameCountSources(counted)).given_lines(crop_name) == 9
    images = write(data / TEST_LISTS["mtl"], "image", f"{name}/00001.jpg")
    rows = read_dataset_list(dataset, images)
    assert rows.videos == (crop_name,) and rows.names().tolist() == [f"{name}/00001.jpg"]


def test_last_crop_is_the_minimum_without_video_file(made, tmp_path):
    data = with_test_list(tmp_path / "data", *LIST)
    assert said(made, data) == []  # a crop may lie one past the last line
    write(made / "video3.txt", HEADERS[EXPR], "0", "1", "2")
    assert only(made, data) == "video3.txt:4: 3 lines of predictions, but the crops of video 'video3' go up to frame 5"


def test_labeled_split_is_checked(tmp_path):
    data = small_abaw3(tmp_path / "data")
    for video in ("video2", "video3"):
        write(tmp_path / "sub" / f"{video}.txt", HEADERS[EXPR], *"01234")
    (tmp_path / "sub" / "submission.json").write_text(json.dumps({"split": "validation"}))
    assert said(tmp_path / "sub", data) == []
    write(tmp_path / "sub" / "video3.txt", HEADERS[EXPR], *"0123")
    assert only(tmp_path / "sub", data).endswith("4 lines of predictions, but video 'video3' needs 5")


FRAMES = ("image_location,valence,arousal", "b/00001.jpg,", "b/00002.jpg,", "a/00001.jpg,")


@pytest.mark.parametrize(
    "rows, message",
    [
        (("b/00001.jpg,0,0", "b/00002.jpg,0,0", "a/00001.jpg,0,0"), None),
        (
            ("b/00001.jpg,0,0", "a/00001.jpg,0,0", "b/00002.jpg,0,0"),
            ":3: image is a/00001.jpg, but the list has b/00002",
        ),
        (("b/00001.jpg,0,0", "b/00002.jpg,0,0"), "1 images are missing, first a/00001.jpg"),
        (
            ("b/00001.jpg,0,0", "b/00002.jpg,0,2", "a/00001.jpg,0,0"),
            ":3: arousal is 2; it must be a number from -1 to 1",
        ),
        (("b/00001.jpg,0,0", "b/00002.jpg,0", "a/00001.jpg,0,0"), ":3: 2 columns, but 3 are needed"),
    ],
)
def test_file_of_frames_against_its_list(tmp_path, rows, message):
    listed = write(tmp_path / "CVPR_5th_ABAW_VA_test_set_sample.txt", *FRAMES)
    write(tmp_path / "sub" / "predictions.txt", "image_location,valence,arousal", *rows)
    if message is None:
        assert said(tmp_path / "sub", listed) == []
    else:
        assert message in only(tmp_path / "sub", listed)


@pytest.mark.parametrize(
    "frames, message",
    [
        ((1, 2, 3), None),
        ((1, 3, 4), "predictions.txt: 1 frame of video 'b' without a line, first 2"),
        ((2, 3, 4), "predictions.txt: 1 frame of video 'b' without a line, first 1"),
        ((1, 2, 2, 3, 3), "predictions.txt:4: 2 frames of video 'b' more than once, first 2"),
    ],
)
def test_frames_must_be_complete_without_list(tmp_path, frames, message):
    listed = write(tmp_path / "Expression_Classification_Challenge_test_set_release.txt", "b")
    write(
        tmp_path / "sub" / "predictions.txt",
        f"image_location,{HEADERS[EXPR]}",
        *(f"b/{frame:05d}.jpg,0" for frame in frames),
    )
    if message is None:
        assert said(tmp_path / "sub", listed) == []
    else:
        assert only(tmp_path / "sub", listed) == message


def test_multi_task_file_keeps_duplicates(tmp_path):
    header, cells = "image,valence,arousal,expression,aus", "0,0,3" + ",1" * 12
    images = ("a/00001.jpg", "b/00001.jpg", "a/00001.jpg")
    listed = write(tmp_path / "list.txt", header, *images)
    write(tmp_path / "sub" / "MTL_predictions.txt", header, *(f"{image},{cells}" for image in images))
    assert said(tmp_path / "sub", listed) == []
    write(tmp_path / "sub" / "MTL_predictions.txt", header, *(f"{image},{cells}" for image in images[:2]))
    assert "1 images are missing, first a/00001.jpg" in only(tmp_path / "sub", listed)


def test_other_folder_raises(tmp_path, lists):
    folder = tmp_path / "sub"
    folder.mkdir()
    with pytest.raises(InputError, match="no .txt file"):
        check_submission(folder, lists)
    write(folder / "notes.txt", "hello")
    with pytest.raises(InputError, match="notes.txt:1: unknown header"):
        check_submission(folder, lists)


def test_missing_list_raises(made, tmp_path):
    with pytest.raises(InputError, match="does not exist; pass a test list"):
        check_submission(made, tmp_path / "nothing")
