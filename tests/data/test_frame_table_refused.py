"""Frame tables that are refused, with file and line."""

import json
import tracemalloc

import pytest

from harness.data.check import check_dataset
from harness.data.protocol import Protocol
from harness.data.registry import open_dataset, open_stills
from harness.data.validation_checks import check_splits
from harness.utils.errors import InputError
from tests.helpers.data_folders import crops, table, write
from tests.helpers.frame_tables import frame_table

HEADER = "video,frame,expression,split"
ROWS = ("a,1,anger,train", "a,2,fear,train", "b,1,anger,val", "b,2,fear,val")
INTERVALS = "video,start,end,expression,split"


@pytest.mark.parametrize(
    ("header", "settings", "words"),
    [
        ("video,expression", None, "labels.csv:1: no column frame, time, or start and end; the columns are video,"),
        ("video,frame", None, "labels.csv:1: no column expression, valence and arousal, or AU1...; the columns are"),
        ("video,start,expression", None, "labels.csv:1: no column end; the columns are"),
        ("video,onset,expression", None, "no column frame, time, or start and end; .*; perhaps rename onset to start"),
        ("video,frame,Frame,expression", None, "columns frame and Frame both mean frame; remove one"),
        ("video,start,end,frame,expression", None, "columns start and frame exclude each other"),
        ("video,start,end,start_frame,end_frame,AU1", None, "columns start and start_frame exclude each other"),
        ("image,frame,start,end,AU1", None, "columns start and frame exclude each other"),
        (
            "video,time,expression",
            None,
            r'labels.csv:1: times need a frame rate; add a column fps, or write {"fps": 25}',
        ),
        ("video,time,expression", {"fsp": 25}, "unknown setting in .*labels.json 'fsp'; did you mean fps"),
        ("video,time,expression", {"fps": "25"}, 'labels.json: fps is "25"; it must be a number above 0'),
        ("video,time,expression", {"fps": 0}, "labels.json: fps is 0; it must be a number above 0"),
        ("video,time,expression", {"fps": True}, "labels.json: fps is true"),
        (HEADER, {"spread": "linear"}, 'spread is "linear"; it must be one of exact, hold, nearest'),
        (HEADER, {"spread": []}, r"spread is \[\]; it must be one of"),
        (HEADER, {"first_frame": 2}, "first_frame is 2; it must be 0 or 1"),
        (HEADER, {"max_frames": 5}, "max_frames has no effect without spread"),
        (HEADER, {"max_frames": 0.5, "spread": "hold"}, "max_frames is 0.5; it must be an integer above 0"),
        (HEADER, {"max_frames": 10**20, "spread": "hold"}, "must be an integer above 0, at most 1,000,000,000"),
        (HEADER, [25], "labels.json: not a JSON object; write for example"),
        (INTERVALS, {"fps": 25, "spread": "hold"}, "spread is for labels of single frames, not of intervals"),
    ],
)
def test_headers_and_settings(tmp_path, header, settings, words):
    row = ",".join("a" if name == "video" else "1" for name in header.split(","))
    with pytest.raises(InputError, match=words):
        open_dataset(frame_table(tmp_path, header, row, settings=settings))


def test_settings_that_are_not_json(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS)
    (root / "labels.json").write_text('{\n"fps": 25,\n}')
    with pytest.raises(InputError, match=r"labels.json:\d: not JSON: .*; write for example"):
        open_dataset(root)
    (root / "labels.json").write_bytes(b"\xff{}")
    with pytest.raises(InputError, match="labels.json: not JSON in UTF-8"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,0,fear,train", r'frame 0, but frame numbers start at 1; .* write {"first_frame": 0} to labels.json'),
        ("a,1.5,fear,train", "frame is 1.5; it must be a frame number"),
        ("a,-1,fear,train", "frame is -1; it must be a frame number"),
        ("a,,fear,train", "frame is '', not an integer"),
        ("a,NaN,fear,train", "frame is '', not an integer"),
        ("a,first,fear,train", "frame is 'first', not an integer"),
        ("a,99999999999,fear,train", "frame is 99999999999; it must be"),
        (",3,fear,train", "no video; write its name"),
        ("s1/a,3,fear,train", "'s1/a' is not the name of a video; write the name of its folder of crops"),
        ("..,3,fear,train", "'..' is not the name of a video"),
        ("a,3,happy,train", "unknown expression 'happy'; did you mean happiness"),
        ("a,3,4,train", "expression is a number, but datasets number expressions differently"),
        ("a,3,fear,trian", "unknown split 'trian'; did you mean train"),
        ("a,3,fear,val", "video 'a' is in 'val' here and in 'train' on line 2; a video has one split"),
        ("a,2,anger,train", "expression is anger here but fear on line 3, both for frame 2 of video 'a'; remove one"),
        ("a,3,fear", "3 columns, but the header has 4"),
    ],
)
def test_rows(tmp_path, row, words):
    root = frame_table(tmp_path, HEADER, *ROWS, row)
    with pytest.raises(InputError, match=words) as caught:
        open_dataset(root).labels("expr", "train")
    assert str(caught.value).startswith(f"{root / 'labels.csv'}:6: ")
    problems = [str(problem.to_exception()) for problem in check_dataset(root).errors]
    assert str(caught.value).partition(" (and ")[0] in problems


def test_one_long_label_does_not_widen_all_others(tmp_path):
    """Arrays of text reserve as much memory for each cell as for the longest one."""
    header = "video,frame,expression,valence,arousal,split"
    rows = [
        f"{video},{frame},,0.{frame:04},0.5,{split}"
        for video, split in (("a", "train"), ("b", "val"))
        for frame in range(1, 1500)
    ]
    root = frame_table(tmp_path, header, *rows, f"b,1500,,0.{'1' * 4000},0.5,val", frames=(1, 2))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"labels.csv:3000: valence is '?0\.1"):
        open_dataset(root).labels("va", "validation")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000, "1,500 cells of 4,000 characters take 24 MB"


def test_numbers_of_folders_are_no_frames(tmp_path):
    rows = ["v,s12/neutral.jpg,0.1,fear", "v,s13/happy.jpg,0.2,anger"]
    write(tmp_path / "labels.csv", "video,image,time,expression", *rows)
    with pytest.raises(InputError, match="labels.csv:2: the name of the image has no number; name crops by frame"):
        open_dataset(tmp_path).labels("expr", "train")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,0.2,0.2,fear,train", "end is not after start"),
        ("a,0.3,0.2,fear,train", "end is not after start"),
        ("a,0.1,soon,fear,train", "end is 'soon', not a number; write a time in seconds"),
        ("a,inf,0.2,fear,train", "start is inf; it must be a time in seconds"),
        ("a,0.1,0.3,fear,train", "expression is fear here but anger on line 2, both for frame 4 of video 'a'"),
    ],
)
def test_intervals(tmp_path, row, words):
    rows = ("a,0,0.2,anger,train", "b,0,0.2,fear,val", row)
    root = frame_table(tmp_path, INTERVALS, *rows, settings={"fps": 25})
    with pytest.raises(InputError, match=rf"labels.csv:4: {words}"):
        open_dataset(root).labels("expr", "train")


def test_two_labels_of_one_frame_before_they_are_spread(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS, "a,2,anger,train", settings={"spread": "hold"})
    with pytest.raises(InputError, match="labels.csv:6: expression is anger here but fear on line 3, both for frame 2"):
        open_dataset(root).labels("expr", "train")


def test_frame_rates(tmp_path):
    rows = ("a,0,anger,train,25", "b,0,fear,val,0")
    with pytest.raises(InputError, match="labels.csv:3: fps is 0; it must be a frame rate above 0"):
        open_dataset(frame_table(tmp_path, "video,time,expression,split,fps", *rows)).labels("expr", "train")


def test_two_images_of_one_frame(tmp_path):
    rows = ("a/1.jpg,1,anger,train", "a/2.jpg,1,anger,train", "b/1.jpg,1,fear,val")
    (problem,) = check_dataset(table(tmp_path, "image,frame,expression,split", *rows)).errors
    assert problem.line == 3
    assert problem.message == (
        "image a/2.jpg here but a/1.jpg on line 2, both for frame 1 of video 'a'; a frame has one image"
    )


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("1.jpg", "'1.jpg' is in no folder of a video; add a column video"),
        ("", "no image; write the path of the crop, or add a column video"),
    ],
)
def test_images_without_a_video(tmp_path, image, words):
    root = table(tmp_path, "image,frame,expression", "a/1.jpg,1,anger", "b/1.jpg,1,fear")
    write(root / "labels.csv", "image,frame,expression", "a/1.jpg,1,anger", f"{image},1,fear")
    with pytest.raises(InputError, match=f"labels.csv:3: {words}"):
        open_dataset(root).labels("expr", "train")


def test_a_name_of_an_image_without_a_number(tmp_path):
    root = table(tmp_path, "image,video,time,expression", "first.jpg,v,0,anger", "2.jpg,v,1,fear")
    with pytest.raises(
        InputError, match="labels.csv:2: the name of the image has no number; name crops by frame number"
    ):
        open_dataset(root).labels("expr", "train")
    write(root / "labels.csv", "image,video,time,expression", "2.jpg,v,0,anger", ",v,1,fear")
    with pytest.raises(InputError, match="labels.csv:3: no image; write the path of the crop, or add a column frame"):
        open_dataset(root).labels("expr", "train")
    root = table(tmp_path / "2", "image,video,time,expression", "20240131093000.jpg,v,0,anger", "2.jp2,v,1,fear")
    with pytest.raises(InputError, match="labels.csv:2: the frame number is above 999,999,999; check the row$"):
        open_dataset(root).labels("expr", "train")


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (("a,1,anger,s,train", "b,1,fear,s,val"), "leak"),
        (("a,1,anger,s,train", "a,2,fear,t,train", "b,1,fear,u,val"), "subject"),
    ],
)
def test_a_subject_in_two_splits_and_a_video_of_two_subjects(tmp_path, rows, kind):
    root = frame_table(tmp_path, "video,frame,expression,subject,split", *rows)
    (problem,) = check_dataset(root).errors
    assert (problem.kind, problem.line) == (kind, 3)


def test_cuts_of_one_video_in_two_splits_are_a_warning(tmp_path):
    rows = ("v_left,1,anger,train", "v_left,2,fear,train", "v_right,1,fear,val", "v_right,2,anger,val")
    root = frame_table(tmp_path, HEADER, *rows, videos=("v_left", "v_right"))
    (problem,) = [p for p in check_dataset(root).warnings if p.kind == "shared video"]
    assert problem.line == 4 and problem.message == (
        "'v_right' (validation) and 'v_left' (train) were cut from the same video, so they share its background"
    )
    said = []
    check_splits(Protocol("published"), open_dataset(root), "expr", said.append)
    assert "parts of the same video are in both train and validation of task 'expr': v" in said[0]


def test_no_crops_at_all(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS, videos=())
    with pytest.raises(InputError, match=r"no face crops; put them in .*cropped/<video>/00001.jpg .* a column image"):
        open_dataset(root)


def test_crops_of_frame_zero(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS)
    crops(root, "a", [0])
    assert [problem.kind for problem in check_dataset(root).errors if problem.severity == "error"][0] == "frame number"


def test_csv_and_parquet_beside_each_other(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS)
    (root / "labels.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="labels.csv: labels.parquet is beside it, and only one of them can be read"):
        open_dataset(root)


def test_backbones_need_images(tmp_path):
    with pytest.raises(InputError, match="no column image.*this is a frame table .* on which heads are trained"):
        open_stills(frame_table(tmp_path, HEADER, *ROWS))


def test_unknown_split_and_task(tmp_path):
    dataset = open_dataset(frame_table(tmp_path, HEADER, *ROWS, settings=json.loads("{}")))
    with pytest.raises(InputError, match="no labels of task 'va'; available: expr"):
        dataset.labels("va", "train")
    with pytest.raises(InputError, match="unknown split of .*labels.csv 'tset'"):
        dataset.sequence_names("expr", "tset")
