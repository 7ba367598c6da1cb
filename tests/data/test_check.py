import shutil

import pytest

from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset
from harness.data.validation_checks import check_labels_nonempty
from harness.utils.errors import InputError
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
    image_bytes,
    small_abaw3,
    table,
    write,
)
from tests.helpers.shared_data import shared_data


def found(root, kind):
    return [problem for problem in check_dataset(root).problems if problem.kind == kind]


def counts(report, task, split):
    return next(one for one in report.counts if (one.task, one.split) == (task, split))


def test_valid_folder_has_no_errors(tmp_path):
    report = check_dataset(small_abaw3(tmp_path))
    expr, va, au = (counts(report, task, "train") for task in ("expr", "va", "au"))
    assert report.errors == () and report.images == report.crops == 20 and report.sequences == 4
    assert (expr.units, expr.rows, expr.valid, expr.cropped, expr.coverage) == (2, 10, 8, 8, 1.0)
    assert expr.spread["Anger"] == 2 and expr.spread["Fear"] == 0
    assert va.valid == 6 and va.spread["valence"][:2] == (-1.0, pytest.approx(0.1))
    assert au.valid == 8 and au.spread["AU26"] == 2
    assert [one.output for one in report.counts if one.task == "mtl"] == ["va", "expr", "au"] * 2


def test_coverage_counts_missing_crops(tmp_path):
    (small_abaw3(tmp_path) / "cropped/video2/00002.jpg").unlink()
    one = counts(check_dataset(tmp_path), "expr", "validation")
    assert (one.valid, one.cropped) == (8, 7)


def test_each_malformed_line_is_listed_and_the_other_files_are_counted(tmp_path):
    small_abaw3(tmp_path)
    path = annotate(tmp_path, EXPR, "Train_Set", "video1_left", [0, 9, 1, "x"])
    report = check_dataset(tmp_path)
    assert [(p.file, p.line) for p in report.errors] == [(path, 3), (path, 5)]
    assert counts(report, "expr", "train").rows == 5
    text = render(report)
    assert f"{ANNOTATIONS}/{EXPR}/Train_Set/video1_left.txt:3:" in text and "2 errors" in text
    assert "expression is 9; it must be a class from 0 to 7" in text


@pytest.mark.parametrize(
    ("challenge", "content", "words"),
    [
        (VA, "", "the file is empty"),
        (VA, HEADERS[EXPR] + "\n0\n", "the header is"),
        (AU, HEADERS[AU] + "\n0,1\n", "2 columns"),
        (VA, HEADERS[VA] + "\n0,2\n", "arousal is 2"),
    ],
)
def test_malformed_annotations_are_errors(tmp_path, challenge, content, words):
    small_abaw3(tmp_path)
    (tmp_path / ANNOTATIONS / challenge / "Train_Set/video1_left.txt").write_text(content)
    report = check_dataset(tmp_path)
    assert len(report.errors) == 1 and words in report.errors[0].message


def test_malformed_multitask_file_and_test_list_do_not_hide_the_rest(tmp_path):
    small_abaw3(tmp_path)
    write(tmp_path / ANNOTATIONS / "MTL_Challenge/train_set.txt", MTL_HEADER, "video2,0,0", f"v/1.jpg,0,0,9,{ABSENT}")
    write(tmp_path / TEST_LISTS["expr"], "")
    report = check_dataset(tmp_path)
    assert [p.line for p in report.errors if p.kind == "annotation"] == [2, 3]
    assert any("the test list is empty" in p.message for p in report.errors)
    assert counts(report, "expr", "train").rows == 10


def test_video_without_crops_is_one_warning(tmp_path):
    shutil.rmtree(small_abaw3(tmp_path) / "cropped/video2")
    write(tmp_path / TEST_LISTS["expr"], "video8", "video9")
    crops(tmp_path, "video8", [1])
    report = check_dataset(tmp_path)
    assert report.errors == ()
    messages = [p.message for p in report.problems if p.kind == "no crop"]
    assert len(messages) == 2 and "'video2' has no crop in cropped/" in messages[0] + messages[1]
    assert [p.line for p in report.problems if p.kind == "no crop" and "video9" in p.message] == [2]
    assert (report.tests[0].sequences, report.tests[0].cropped) == (2, 1)
    assert counts(report, "expr", "validation").cropped == 4


def test_lines_past_the_last_crop_are_a_warning(tmp_path):
    small_abaw3(tmp_path)
    path = annotate(tmp_path, EXPR, "Validation_Set", "video3", [0, 1, 2, 3, 4, 5, 6])
    report = check_dataset(tmp_path)
    extra = [p for p in report.problems if p.kind == "extra lines"]
    assert report.errors == () and [(p.file, p.line) for p in extra] == [(path, 7)]
    assert "2 lines after the last crop, which is frame 5" in extra[0].message


def test_duplicate_multitask_rows_are_a_warning(tmp_path):
    small_abaw3(tmp_path)
    row = f"video2/00001.jpg,0,0,1,{ABSENT}"
    write(tmp_path / ANNOTATIONS / "MTL_Challenge/validation_set.txt", MTL_HEADER, row, row)
    (problem,) = found(tmp_path, "duplicate row")
    assert problem.line == 3 and problem.severity == "warning" and "on line 2" in problem.message


def test_video_in_two_splits_is_an_error(tmp_path):
    small_abaw3(tmp_path)
    annotate(tmp_path, EXPR, "Validation_Set", "video1_left", [0, 1, 2, 3, 4])
    annotate(tmp_path, VA, "Validation_Set", "video1_right", ["0,0"])
    write(tmp_path / TEST_LISTS["expr"], "video4", "video2")
    report = check_dataset(tmp_path)
    leaks = [p for p in report.errors if p.kind == "leak"]
    assert [p.message.split("; ")[0] for p in leaks] == [
        "video 'video2' is in both validation and test of task expr",
        "video 'video1_left' is in both train and validation of task expr",
    ]
    assert leaks[0].line == 2
    shared = [p for p in report.warnings if p.kind == "shared video"]
    assert len(shared) == 1 and "'video1_right'" in shared[0].message and "task va" in shared[0].message


def test_empty_splits_are_errors(tmp_path):
    small_abaw3(tmp_path)
    for path in (tmp_path / ANNOTATIONS / EXPR / "Validation_Set").iterdir():
        path.unlink()
    for video in ("7-30-640x480", "video1_left"):
        annotate(tmp_path, VA, "Train_Set", video, ["-5,-5"] * 5)
    shutil.rmtree(tmp_path / ANNOTATIONS / AU / "Train_Set")
    report = check_dataset(tmp_path)
    messages = " ".join(p.message for p in report.errors)
    assert "validation split of task expr is empty: no annotated row" in messages
    assert "train split of task va is empty: none of 10 rows is valid" in messages
    assert [p.message for p in report.warnings if p.kind == "missing split"] == [
        "task au has no train split; runs of this task need both"
    ]


def test_one_class_only_is_a_warning(tmp_path):
    small_abaw3(tmp_path)
    for video in ("7-30-640x480", "video1_left"):
        annotate(tmp_path, EXPR, "Train_Set", video, [3] * 5)
    (problem,) = found(tmp_path, "one class")
    assert problem.severity == "warning" and "only one class, Fear" in problem.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (image_bytes()[:-30], "the image is truncated"),
        (image_bytes("PNG")[:-30], "the image is truncated"),
        (b"GIF89a not a face", "the image is truncated or damaged"),
        (b"no face", "not an image that can be read (JPEG, PNG,"),
    ],
)
def test_broken_images_are_named_and_count_as_missing(tmp_path, content, words):
    path = small_abaw3(tmp_path) / "cropped/video2/00002.jpg"
    path.write_bytes(content)
    report = check_dataset(tmp_path)
    (problem,) = [p for p in report.problems if p.kind == "image"]
    assert problem.file == path and words in problem.message and problem.severity == "warning"
    assert (report.images, report.crops) == (20, 19)
    assert counts(report, "expr", "validation").cropped == 7
    assert check_dataset(tmp_path, images=False).crops == 20


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA")])
def test_intact_images_of_any_mode_pass(tmp_path, kind, mode):
    (small_abaw3(tmp_path) / "cropped/video2/00002.jpg").write_bytes(image_bytes(kind, mode))
    assert check_dataset(tmp_path).crops == 20


def test_table_with_faults_of_every_kind(tmp_path):
    root = table(
        tmp_path,
        "image,expression,subject,split,AU1,valence",
        "1.jpg,anger,ann,train,0,0",
        "2.jpg,joyful,ann,train,0,0",
        "3.jpg,fear,ann,validation,0,0",
        "3.jpg,fear,bob,validation,0,0",
        "4.jpg,anger,cleo,somewhere,0,0",
        "5.jpg,anger,cleo",
        "6.jpg,anger,dan,train,0,0",
    )
    (root / "6.jpg").unlink()
    report = check_dataset(root)
    assert sorted((p.kind, p.line) for p in report.errors) == [
        ("expression", 3),
        ("leak", 4),
        ("missing image", 8),
        ("row", 7),
        ("split", 6),
    ]
    assert sorted((p.kind, p.line) for p in report.warnings if p.kind in ("columns", "duplicate row")) == [
        ("columns", 1),
        ("columns", 1),
        ("duplicate row", 5),
    ]
    assert "subject 'ann' is in validation here and in train on line 2" in render(report)


@pytest.mark.parametrize("column", ["expression", "other"])
def test_labels_are_checked_where_no_image_exists(tmp_path, column):
    rows = ("a.jpg,happpy,ann,train", "b.jpg,Fear,ann,val", "b.jpg,Fear,bob,trian")
    report = check_dataset(table(tmp_path, f"image,{column},subject,split", *rows, images=False))
    lines = {(problem.kind, problem.line) for problem in report.problems}
    assert {("missing image", None), ("leak", 3), ("split", 4), ("duplicate row", 4)} <= lines
    assert sum(problem.kind == "missing image" for problem in report.problems) == 1
    assert (column == "expression") == any("unknown expression 'happpy'" in one.message for one in report.errors)


def test_folders_that_cannot_be_opened(tmp_path):
    with pytest.raises(InputError, match="no such data folder"):
        check_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not in a supported layout"):
        check_dataset(tmp_path)


def test_report_fits_a_terminal_and_its_problems_can_be_limited(tmp_path):
    small_abaw3(tmp_path)
    annotate(tmp_path, EXPR, "Train_Set", "video1_left", ["x"] * 50)
    report = check_dataset(tmp_path)
    text = render(report)
    assert all(len(line) <= 100 or str(tmp_path) in line for line in text.splitlines())
    assert text.count("expression is 'x'") == 50
    limited = render(report, limit=3)
    assert limited.count("expression is 'x'") == 1 and "(50 lines)" in limited
    assert "error    and 49 more of this kind (annotation)" in limited
    assert "50 errors, " in limited and "; --all lists all of them" in limited and "--all" not in text
    assert render(report) == render(check_dataset(tmp_path))


@pytest.mark.parametrize(
    ("expressions", "words"),
    [
        ([-1] * 5, "none of the 10 rows of the split has a valid expr label"),
        ([3, 3, -1, 3, 3], "only one class, Fear, among its 8 valid expression labels"),
    ],
)
def test_untrainable_labels_raise(tmp_path, expressions, words):
    small_abaw3(tmp_path)
    for video in ("7-30-640x480", "video1_left"):
        annotate(tmp_path, EXPR, "Train_Set", video, expressions)
    with pytest.raises(InputError, match=f"^here: .*{words}"):
        check_labels_nonempty(open_dataset(tmp_path).labels("expr", "train"), "expr", "here")


def test_empty_split_raises(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path))
    for task in dataset.tasks():
        check_labels_nonempty(dataset.labels(task, "train"), task, "here")
        with pytest.raises(InputError, match=f"here: the split is empty: no annotated frame of task '{task}'"):
            check_labels_nonempty(dataset.labels(task, "train").take([]), task, "here")


@pytest.mark.parametrize(("name", "errors"), [("rendered", 0), ("faces", 0)])
def test_shared_data_has_no_errors(name, errors):
    report = check_dataset(shared_data() / name)
    assert len(report.errors) == errors
    assert {(p.kind) for p in report.warnings} <= {"absent class", "duplicate row", "extra lines"}
    assert all(len(line) <= 100 for line in render(report).splitlines())


def test_folder_of_test_videos_alone_is_no_error(tmp_path):
    crops(tmp_path, "video9", range(1, 4))
    write(tmp_path / TEST_LISTS["expr"], "video9", "video8")
    report = check_dataset(tmp_path)
    assert report.counts == () and report.errors == () and [test.cropped for test in report.tests] == [1]
    assert [problem.kind for problem in report.problems] == ["no crop"]
    text = render(report)
    assert (
        "annotations  none, so training and scoring are not possible" in text and "expr: 2 videos, 1 with crops" in text
    )


def test_folder_whose_annotations_are_empty_is_an_error(tmp_path):
    crops(tmp_path, "video9", range(1, 4))
    write(tmp_path / TEST_LISTS["expr"], "video9")
    (tmp_path / ANNOTATIONS / EXPR / "Train_Set").mkdir(parents=True)
    message = "train split of task expr is empty: no annotated row for expr; runs of this task will fail"
    assert [problem.message for problem in check_dataset(tmp_path).errors] == [message]
