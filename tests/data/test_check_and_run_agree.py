"""Errors of `data check` are refused by runs and trainings in the same words."""

import shutil

import pytest

from harness.data.check import check_dataset
from harness.data.protocol import Protocol
from harness.data.registry import open_dataset
from harness.data.validation import validate_dataset
from harness.data.validation_checks import check_splits
from harness.metrics.tasks import ACTION_UNITS
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.backbone_training_data import open_training_data
from harness.runner.loader import find_recipe
from harness.utils.errors import InputError
from harness.utils.store import Store
from tests.helpers.data_folders import EXPR, crops, small_abaw3, table, write
from tests.helpers.frame_tables import frame_table
from tests.helpers.logs import captured_logs

ROWS = [f"{i}.jpg,{('anger', 'fear')[i % 2]},s{i},{('train', 'validation')[i > 3]}" for i in range(8)]


def without_image(root):
    table(root, "image,expression,subject,split", *ROWS)
    (root / "1.jpg").unlink()


def subject_of_an_unlabeled_row_in_two_splits(root):
    table(root, "image,expression,subject,split", *ROWS, "9.jpg,,s1,validation")


def frame_zero(root):
    crops(small_abaw3(root), "video2", [0])


def other_crops_in_a_second_folder(root):
    small_abaw3(root, folder="cropped_aligned")
    crops(root, "video2", [1, 2], folder="cropped_aligned_new_50_vids")


def name_of_no_file(root):
    crops(small_abaw3(root), "a\\b", [1])


def video_of_the_test_list_in_train(root):
    small_abaw3(root)
    write(root / "Expression_Classification_Challenge_test_set_release.txt", "video1_left")


def subject_in_two_splits_of_a_frame_table(root):
    rows = [f"v{i},{frame},{'anger' if frame == 1 else 'fear'}" for i in range(2) for frame in (1, 2)]
    splits = [f"{row},s,{'train' if row.startswith('v0') else 'val'}" for row in rows]
    frame_table(root, "video,frame,expression,subject,split", *splits, videos=("v0", "v1"))


def intervals_that_contradict_each_other(root):
    rows = ("a,1,5,anger,train", "a,5,6,fear,train", "b,1,2,anger,val", "b,3,4,fear,val")
    frame_table(root, "video,start_frame,end_frame,expression,split", *rows)


@pytest.mark.parametrize(
    "make, kind",
    [
        (without_image, "missing image"),
        (subject_of_an_unlabeled_row_in_two_splits, "leak"),
        (frame_zero, "frame number"),
        (other_crops_in_a_second_folder, "two folders"),
        (name_of_no_file, "video name"),
        (video_of_the_test_list_in_train, "leak"),
        (subject_in_two_splits_of_a_frame_table, "leak"),
        (intervals_that_contradict_each_other, "conflict"),
    ],
)
def test_run_refuses_an_error_of_the_check(tmp_path, make, kind):
    make(tmp_path)
    (problem,) = check_dataset(tmp_path).errors
    assert problem.kind == kind
    with pytest.raises(InputError) as raised:
        check_splits(Protocol("published"), open_dataset(tmp_path), "expr", pytest.fail)
    assert str(raised.value) == str(problem.to_exception()).partition("; 'video2' is skipped in this report")[0]


@pytest.mark.parametrize("task", ["expr", "va"])
def test_run_names_the_error_that_hides_a_split(tmp_path, task):
    table(tmp_path, "image,expression,subject,split", *(row.replace("train", "Training") for row in ROWS))
    with pytest.raises(InputError) as raised:
        check_splits(Protocol("published"), open_dataset(tmp_path), task, pytest.fail)
    errors = [str(problem.to_exception()) for problem in check_dataset(tmp_path).errors]
    assert str(raised.value).partition(" (and ")[0] in errors and "did you mean train?" in str(raised.value)


def test_errors_of_the_labels_of_one_task_concern_that_task_alone(tmp_path):
    small_abaw3(tmp_path)
    shutil.copy(
        *(
            tmp_path / "Third ABAW Annotations" / EXPR / f"{split}_Set/{video}.txt"
            for split, video in (("Train", "video1_left"), ("Validation", "video1_left"))
        )
    )
    assert {problem.kind for problem in check_dataset(tmp_path).errors} == {"leak"}
    check_splits(Protocol("published"), open_dataset(tmp_path), "va", pytest.fail)
    with pytest.raises(InputError, match="video 'video1_left' is in both train and validation"):
        check_splits(Protocol("published"), open_dataset(tmp_path), "expr", pytest.fail)


AUS = ",".join(ACTION_UNITS)
WHOLE, NO_AU4, NO_AU2 = ",".join("101010101010"), "1,1,,0,0,0,0,0,0,0,0,0", "1,-1,0,0,0,0,0,0,0,0,0,0"


def image_table_with_partial_labels(root):
    cells = (WHOLE, WHOLE, NO_AU4, NO_AU2, WHOLE, WHOLE)
    rows = [f"{i}.jpg,s{i},{('train', 'val')[i > 3]},anger,0.5,{cell}" for i, cell in enumerate(cells)]
    table(root, f"image,subject,split,expression,valence,{AUS}", *rows)
    return ["labels.csv:4: 2 rows with labels of only some of the twelve action units (here not of AU4)"]


def frame_table_with_partial_labels(root):
    none = "," * 11
    rows = [f"a,1,train,{WHOLE}", f"a,3,train,{NO_AU2}", f"a,2,train,{NO_AU4}", f"b,1,val,{WHOLE}"]
    joined = [f"a,4,train,{NO_AU4}", f"a,4,train,,,1{none[2:]}", f"a,5,train,{none}"]
    frame_table(root, f"video,frame,split,{AUS}", *rows, *joined)
    return ["labels.csv:4: 2 frames with labels of only some of the twelve action units (here not of AU4)"]


def spread_table_with_partial_labels(root):
    rows = ["a,1,train,0.5,", "a,4,train,,0.25", "b,1,val,0.5,0.5", "b,3,val,,-5"]
    frame_table(root, "video,frame,split,valence,arousal", *rows, settings={"spread": "hold"})
    return [
        "labels.csv:2: 3 frames with labels of only one of valence and arousal (here not of arousal)",
        "labels.csv:4: 8 frames with labels of only one of valence and arousal (here not of arousal)",
    ]


@pytest.mark.parametrize(
    ("make", "task", "sizes"),
    [
        (image_table_with_partial_labels, "au", (2, 2)),
        (frame_table_with_partial_labels, "au", (2, 1)),
        (spread_table_with_partial_labels, "va", (7, 2)),
    ],
)
def test_partial_labels_are_named_once_and_not_used(tmp_path, make, task, sizes):
    expected = make(tmp_path)
    report, warnings = check_dataset(tmp_path), []
    assert report.errors == () and tuple(counts.valid for counts in report.counts if counts.task == task) == sizes
    named = [problem for problem in report.problems if problem.kind == "partial label"]
    assert [str(problem.to_exception()).partition(";")[0] for problem in named] == [f"{tmp_path}/{e}" for e in expected]
    check_splits(Protocol("published"), open_dataset(tmp_path), task, warnings.append)
    assert warnings == [str(problem.to_exception()) for problem in named]


def test_a_run_of_several_tasks_names_partial_labels_once(tmp_path):
    rows = [f"v{i},{frame},{('train', 'val')[i > 2]},{WHOLE},anger,0,0" for i in range(4) for frame in (1, 2)]
    rows = [*rows, f"v1,3,train,{NO_AU4},fear,0,0", f"v2,3,train,{WHOLE},fear,0,0", f"v3,3,val,{WHOLE},fear,0,0"]
    header = f"video,frame,split,{AUS},expression,valence,arousal"
    frame_table(tmp_path, header, *rows, videos=[f"v{i}" for i in range(4)])
    with captured_logs() as messages:
        validate_dataset(Protocol("published"), tmp_path, ["au", "mtl"])
    (message,) = messages
    assert message.startswith(f"warning: {tmp_path / 'labels.csv'}:10: 1 frame with labels of only some of")


def test_labels_of_other_tasks_may_be_absent(tmp_path):
    rows = [f"a,1,train,{WHOLE},", f"a,2,train,{',' * 11},anger", f"b,1,val,{WHOLE},fear"]
    frame_table(tmp_path, f"video,frame,split,{AUS},expression", *rows)
    assert not [problem for problem in check_dataset(tmp_path).problems if problem.kind == "partial label"]


@pytest.mark.parametrize("make", [without_image, subject_of_an_unlabeled_row_in_two_splits])
def test_training_refuses_an_error_of_the_check(tmp_path, make):
    make(tmp_path / "data")
    (problem,) = check_dataset(tmp_path / "data").errors
    with pytest.raises(InputError) as raised:
        open_training_data(
            find_recipe("light_expressions", BackboneRecipe), tmp_path / "data", Store(tmp_path / "store")
        )
    assert str(raised.value) == str(problem.to_exception())
