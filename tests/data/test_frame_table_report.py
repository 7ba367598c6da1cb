"""What `data check` reports of frame tables."""

from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset
from tests.helpers.data_folders import crops
from tests.helpers.frame_tables import frame_table

ROWS = ("a,1,anger,train", "a,3,fear,train", "b,2,happiness,val", "b,12,,val")
HEADER = "video,frame,expression,split"


def messages(root, kind):
    return [problem.message for problem in check_dataset(root).problems if problem.kind == kind]


def test_report(tmp_path):
    rows = [*ROWS, "c,1,fear,train", "C,1,fear,train"]
    root = frame_table(tmp_path, HEADER, *rows, videos=("a", "b", "c_left", "d"))
    text = " ".join(render(check_dataset(root)).split())
    for words in (
        "frames from column frame; each label is that of its frame alone",
        "crops cropped/",
        "video 'c' has no crop; its only row cannot be used; did you mean 'c_left'?",
        "17 of 20 crops without a label, the first of them frame 2 of video 'a'",
        "2 folders of crops not named in the table, such as 'c_left'; not read",
    ):
        assert words in text


def test_labels_without_crops_are_counted_by_video(tmp_path):
    rows = [*ROWS, "b,12,fear,val", "b,13,fear,val"]
    root = frame_table(tmp_path, HEADER, *rows)
    (problem,) = [p for p in check_dataset(root).problems if p.kind == "label without crop"]
    assert problem.message == "video 'b': 2 labels without a crop; here frame 12" and problem.line == 6


def test_intervals_without_crops_are_counted(tmp_path):
    rows = ("a,1,2,anger,train", "b,1,1,fear,val", "b,90,99,fear,val")
    root = frame_table(tmp_path, "video,start_frame,end_frame,expression,split", *rows)
    assert messages(root, "label without crop") == ["video 'b': 1 interval without a crop; here frames 90 to 99"]


def test_repeated_labels_are_named(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS, "a,3,fear,train")
    (problem,) = [p for p in check_dataset(root).problems if p.kind == "duplicate row"]
    assert problem.message == "frame 3 of video 'a' is already on line 3" and problem.line == 6
    assert len(open_dataset(root).labels("expr", "train")) == 2


def test_report_goes_on_after_a_folder_that_cannot_be_read(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS, "b,3,happy,val", settings={"spread": "hold"})
    crops(root, "a", [0])
    assert {problem.kind for problem in check_dataset(root).errors} >= {"frame number", "expression"}
