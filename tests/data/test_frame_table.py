"""Frame tables: their forms, splits and groups."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from harness.data.check import check_dataset
from harness.data.frame_table import FrameTable
from harness.data.image_table import ImageTable
from harness.data.registry import open_dataset, open_stills
from tests.helpers.data_folders import crops, image_bytes, small_abaw3, table, write
from tests.helpers.frame_tables import by_frame, frame_table

AUS = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
ROWS = ("a,1,anger,train", "a,3,fear,train", "b,2,happiness,val", "b,12,,val")
HEADER = "video,frame,expression,split"


def messages(root, kind):
    return [problem.message for problem in check_dataset(root).problems if problem.kind == kind]


def test_frames_of_videos(tmp_path):
    dataset = open_dataset(frame_table(tmp_path / "mine", HEADER, *ROWS))
    assert isinstance(dataset, FrameTable) and dataset.temporal and not dataset.upright
    assert (dataset.name, dataset.tasks(), dataset.splits("expr")) == ("mine", ("expr",), ("train", "validation"))
    labels = dataset.labels("expr", "train")
    assert by_frame(labels) == {("a", 1): 1, ("a", 3): 3}
    assert labels.units == labels.groups == labels.sequences == ("a",)
    assert by_frame(dataset.labels("expr", "validation")) == {("b", 2): 4}
    assert dataset.sequences["a"].frames.tolist() == list(range(1, 11))
    assert dataset.sequence_names("expr", "train") == ("a",)


def test_the_file_itself_is_accepted(tmp_path):
    root = frame_table(tmp_path / "mine", HEADER, *ROWS)
    assert open_dataset(root / "labels.csv").name == "mine"
    (root / "labels.csv").rename(root / "session.csv")
    assert open_dataset(root / "session.csv").name == "session"


def test_rows_are_ordered_by_video_and_frame(tmp_path):
    plain = open_dataset(frame_table(tmp_path / "1", HEADER, *ROWS)).labels("expr", "train")
    shuffled = open_dataset(frame_table(tmp_path / "2", HEADER, *ROWS[::-1])).labels("expr", "train")
    assert by_frame(plain) == by_frame(shuffled) and plain.frame.tolist() == shuffled.frame.tolist() == [1, 3]


def test_images_with_a_frame_number_need_no_folder_of_crops(tmp_path):
    rows = ["s1/t1/x7.jpg,7,anger", "s1/t2/x7.jpg,7,fear", "s1/t2/x9.jpg,9,fear"]
    dataset = open_dataset(table(tmp_path, "image,frame,expression", *rows))
    assert isinstance(dataset, FrameTable) and sorted(dataset.sequences) == ["t1", "t2"]
    assert dataset.sequences["t2"].images == (tmp_path / "s1/t2/x7.jpg", tmp_path / "s1/t2/x9.jpg")
    assert dataset.sequences["t2"].frames.tolist() == [7, 9]


def test_folders_of_images_are_joined_where_their_names_repeat(tmp_path):
    rows = [f"crops/{s}/{t}/1.jpg,1,{'anger' if t == 't1' else 'fear'}" for s in "ab" for t in ("t1", "t2")]
    dataset = open_dataset(table(tmp_path, "image,frame,expression", *rows))
    assert sorted(dataset.sequences) == ["a_t1", "a_t2", "b_t1", "b_t2"]


def test_a_missing_image_is_a_missing_crop(tmp_path):
    root = table(tmp_path, "image,frame,expression,split", "a/1.jpg,1,anger,train", "a/2.jpg,2,fear,train")
    (root / "a/2.jpg").rename(root / "a/2.JPG")
    dataset = open_dataset(root)
    assert dataset.sequences["a"].frames.tolist() == [1] and len(dataset.labels("expr", "train")) == 2
    assert messages(root, "label without crop") == [
        "video 'a': 1 label without a crop; here no image file a/2.jpg; did you mean a/2.JPG?"
    ]


def test_times_with_images_are_ordered_by_the_numbers_of_the_images(tmp_path):
    rows = ["v,a/0002.jpg,0.1,fear", "v,a/0001.jpg,0.0,anger", "w,b/0001.jpg,0,anger"]
    for _, name, *_ in (row.split(",") for row in rows):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(image_bytes())
    write(tmp_path / "labels.csv", "video,image,time,expression", *rows)
    dataset = open_dataset(tmp_path)
    assert dataset.sequences["v"].frames.tolist() == [1, 2]
    assert dict(dataset.summary())["frames"].startswith("from the numbers in the names of the images")


@pytest.mark.parametrize("settings, column", [({"fps": 25}, ""), (None, ",25"), ({"fps": 5}, ",25.0")])
def test_times_become_the_nearest_frames(tmp_path, settings, column):
    header = "video,time,expression,split" + (",fps" if column else "")
    rows = [f"{row}{column}" for row in ("a,0,anger,train", "a,0.041,fear,train", "b,0.36,anger,val")]
    dataset = open_dataset(frame_table(tmp_path, header, *rows, settings=settings))
    assert by_frame(dataset.labels("expr", "train")) == {("a", 1): 1, ("a", 2): 3}
    assert by_frame(dataset.labels("expr", "validation")) == {("b", 10): 1}


def test_labels_hold_until_the_next_one_in_each_column(tmp_path):
    header = "video,time,expression,valence,arousal,split"
    rows = ("a,0,anger,0.5,0.5,train", "a,0.5,,-0.5,0.5,train", "a,1,fear,-5,-5,train", "b,0.5,anger,0,0,val")
    root = frame_table(tmp_path, header, *rows, frames=(1, 3, 4, 6, 20), settings={"fps": 4, "spread": "hold"})
    dataset = open_dataset(root)
    assert by_frame(dataset.labels("expr", "train")) == {("a", f): 1 if f < 5 else 3 for f in (1, 3, 4, 6, 20)}
    valence = {frame: value[0] for (_, frame), value in by_frame(dataset.labels("va", "train"), "va").items()}
    assert valence == {1: 0.5, 3: -0.5, 4: -0.5, 6: -5, 20: -5}  # -5 ends a label
    assert [frame for _, frame in by_frame(dataset.labels("expr", "validation"))] == [3, 4, 6, 20]


def test_labels_hold_or_are_near_for_a_number_of_frames(tmp_path):
    rows = ("a,4,anger,train", "a,9,fear,train", "b,5,fear,val")
    root = frame_table(tmp_path, HEADER, *rows, settings={"spread": "hold", "max_frames": 2})
    assert by_frame(open_dataset(root).labels("expr", "train")) == {
        ("a", frame): label for frame, label in ((4, 1), (5, 1), (6, 1), (9, 3), (10, 3))
    }
    (root / "labels.json").write_text('{"spread": "nearest", "max_frames": 2}')
    assert by_frame(open_dataset(root).labels("expr", "validation")) == {("b", f): 3 for f in range(3, 8)}


def test_intervals_in_seconds_as_elan_exports_them(tmp_path):
    rows = ("a\t0\t0,12\tanger\ttrain", "a\t0,12\t0,2\tfear\ttrain", "b\t0,04\t0,08\tfear\tval")
    header = "video\tBegin Time - ss.msec\tEnd Time - ss.msec\texpression\tsplit"
    dataset = open_dataset(frame_table(tmp_path, header, *rows, settings={"fps": 25}))
    assert by_frame(dataset.labels("expr", "train")) == {("a", f): 1 if f < 4 else 3 for f in range(1, 6)}
    assert by_frame(dataset.labels("expr", "validation")) == {("b", 2): 3}
    assert "decimal commas" in dict(dataset.summary())["table"]


def test_intervals_in_frames_have_both_ends(tmp_path):
    rows = ("a,1,2,anger,train", "a,2,4,anger,train", "b,9,30,fear,val")
    dataset = open_dataset(frame_table(tmp_path, "video,start_frame,end_frame,expression,split", *rows))
    assert by_frame(dataset.labels("expr", "train")) == {("a", f): 1 for f in range(1, 5)}
    assert by_frame(dataset.labels("expr", "validation")) == {("b", 9): 3, ("b", 10): 3}


def test_frames_may_be_counted_from_zero(tmp_path):
    rows = ("a,0,anger,train", "a,9,fear,train", "b,0,fear,val")
    dataset = open_dataset(frame_table(tmp_path, HEADER, *rows, settings={"first_frame": 0}))
    assert by_frame(dataset.labels("expr", "train")) == {("a", 1): 1, ("a", 10): 3}


def test_rows_of_one_frame_are_joined(tmp_path):
    rows = ("a,1,anger,,,train", "a,1,,0.5,0.25,train", "b,1,fear,0,0,val")
    dataset = open_dataset(frame_table(tmp_path, "video,frame,expression,valence,arousal,split", *rows))
    assert by_frame(dataset.labels("expr", "train")) == {("a", 1): 1}
    assert by_frame(dataset.labels("va", "train"), "va") == {("a", 1): [0.5, 0.25]}
    assert messages(tmp_path, "duplicate row") == []


def test_action_units_in_any_spelling(tmp_path):
    header = "video,frame,split," + ",".join(f"AU{int(name[2:]):02d}_c" for name in AUS.split(","))
    rows = [f"{video},1,{split},{','.join(['1.0'] * 11)},True" for video, split in (("a", "train"), ("b", "val"))]
    labels = open_dataset(frame_table(tmp_path, header, *rows)).labels("au", "train")
    assert labels.targets["au"].tolist() == [[1] * 12] and labels.targets["au"].dtype == np.int8


@pytest.mark.parametrize("folder", ["cropped", "cropped_aligned"])
def test_crops_are_those_beside_the_table(tmp_path, folder):
    dataset = open_dataset(frame_table(tmp_path, HEADER, *ROWS, folder=folder))
    assert dataset.sequences["a"].images[0] == tmp_path / folder / "a/00001.jpg"
    assert dict(dataset.summary())["crops"] == f"{folder}/"


@pytest.mark.parametrize("name", ["a.mp4", "a.MPG", "a"])
def test_names_of_video_files_lead_to_their_crops(tmp_path, name):
    dataset = open_dataset(
        frame_table(tmp_path, HEADER, *(row.replace("a,", f"{name},") for row in ROWS[:2]), *ROWS[2:])
    )
    assert dataset.labels("expr", "train").units == ("a",)


def test_unicode_forms_of_a_name_are_one_video(tmp_path):
    composed, decomposed = "\u00e9", "e\u0301"
    rows = (f"{composed},1,anger,train", f"{decomposed},2,fear,train", "b,1,fear,val")
    dataset = open_dataset(frame_table(tmp_path, HEADER, *rows, videos=(decomposed, "b")))
    assert by_frame(dataset.labels("expr", "train")) == {(decomposed, 1): 1, (decomposed, 2): 3}


def test_subjects_and_cuts_of_one_video_are_groups(tmp_path):
    rows = [
        f"{video},1,anger,{subject}" for video, subject in (("x_left", ""), ("x_right", ""), ("a", "s"), ("b", "s"))
    ]
    videos = ("x_left", "x_right", "a", "b")
    dataset = open_dataset(frame_table(tmp_path, "video,frame,expression,subject", *rows, videos=videos))
    groups = {}
    for split in ("train", "validation"):
        labels = dataset.labels("expr", split)
        groups |= dict(zip(labels.units, labels.groups))
    assert groups == {"x_left": "x", "x_right": "x", "a": "s", "b": "s"}


def test_a_fifth_of_the_groups_is_drawn_with_the_seed_and_stratified(tmp_path):
    videos = [f"v{n:02d}" for n in range(20)]
    rows = [f"{v},{f},{'fear' if n in (3, 11) else 'anger'},s{n // 2}" for n, v in enumerate(videos) for f in (1, 2)]
    root = frame_table(tmp_path, "video,frame,expression,subject", *rows, videos=videos, frames=(1, 2))
    splits = []
    for seed in (0, 0, 1):
        dataset = open_dataset(root, seed)
        train, held = (dataset.labels("expr", split) for split in ("train", "validation"))
        assert len(held.units) == 4 and len(set(held.groups)) == 2 and not set(held.groups) & set(train.groups)
        assert all(3 in labels.targets["expr"] for labels in (train, held))
        splits.append(held.units)
    assert splits[0] == splits[1]
    assert open_dataset(root, 0).labels_digest("expr", "train") != open_dataset(root, 1).labels_digest("expr", "train")
    assert dict(dataset.summary())["splits"] == "by subject, stratified, with seed 1"


def test_digest_covers_the_table_and_its_settings(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS)
    digest = open_dataset(root).labels_digest("expr", "train")
    assert digest == open_dataset(root, seed=1).labels_digest("expr", "train")
    (root / "labels.json").write_text('{"spread": "hold"}')
    assert open_dataset(root).labels_digest("expr", "train") != digest


def test_test_split_can_be_predicted(tmp_path):
    dataset = open_dataset(frame_table(tmp_path, HEADER, *ROWS, "c,1,,test", videos=("a", "b", "c")))
    assert dataset.sequence_names("expr", "test") == ("c",) and dataset.test_sequence_names("expr") == ()
    assert list(dataset.frames("expr", "test")) == ["c"]


def test_tables_of_stills_stay_image_tables_with_their_digests(tmp_path):
    """A column video alone makes no frame table, as such tables were read before."""
    for name, header in (
        ("1", "image,expression,subject"),
        ("2", "image,expression,time"),
        ("3", "image,expression,video"),
    ):
        root = table(tmp_path / name, header, "1.jpg,anger,x", "2.jpg,fear,y")
        dataset = open_dataset(root)
        assert type(dataset) is ImageTable
        expected = hashlib.sha256((root / "labels.csv").read_bytes() + b"seed 0").hexdigest()
        assert dataset.labels_digest("expr", "train") == expected
    assert "column not read: video; the images are read as independent stills" in messages(root, "columns")[0]


def test_aff_wild2_is_found_before_a_table(tmp_path):
    write(small_abaw3(tmp_path) / "labels.csv", HEADER, *ROWS)
    assert not isinstance(open_dataset(tmp_path), FrameTable)


def test_backbones_are_trained_on_the_images_of_a_frame_table(tmp_path):
    root = table(tmp_path / "1", "image,frame,expression,split", "a/1.jpg,1,anger,train", "b/1.jpg,1,fear,val")
    assert open_stills(root).stills("train").expression.tolist() == [1]


def test_crops_of_a_video_may_be_missing(tmp_path):
    root = frame_table(tmp_path, HEADER, *ROWS, videos=("a",))
    crops(root, "b", [])
    assert open_dataset(root).sequences["b"].frames.tolist() == []
    assert any("validation split of task expr has a readable crop" in text for text in messages(root, "no crop"))


def test_columns_that_are_not_needed_are_not_read(tmp_path):
    rows = ("a,1,soon,anger,train,5", "b,1,,fear,val,5")
    dataset = open_dataset(frame_table(tmp_path, "video,frame,time,expression,split,seconds", *rows))
    assert dict(dataset.summary())["columns"] == "read: video, frame, expression, split; not read: time, seconds"
    assert dataset.notices() == ()


def test_example_of_the_page(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "harness/data/README.md").read_text()
    example = re.search(r"```text\n(video,frame,.*?)```", page, flags=re.DOTALL)[1]
    root = frame_table(tmp_path, *example.splitlines(), videos=("talk_left", "talk_right"), frames=(1, 2))
    assert check_dataset(root).errors == ()
    dataset = open_dataset(root)
    assert dataset.tasks() == ("expr", "va") and dataset.splits("va") == ("train", "validation")
    assert by_frame(dataset.labels("va", "train"), "va")["talk_left", 2] == pytest.approx([0.62, 0.3])
    setting = re.search(r"For example, `(.*?)` suits one label a second", page)[1]
    (root / "labels.json").write_text(setting)
    assert dict(open_dataset(root).summary())["frames"].endswith("holds until the next one, over 24 frames at most")
