"""Tables of labels that are copied next to crops."""

import json

import pytest

from harness.utils.errors import InputError


@pytest.fixture
def tables(tmp_path):
    """A function that writes a table, and its settings if given."""

    def write(name, text, settings=None):
        path = tmp_path / name
        path.write_text(text)
        if settings is not None:
            path.with_suffix(".json").write_text(json.dumps(settings))
        return path

    return write


FRAMES = "video,frame,expression\none,1,happiness\n"
TIMES = "video,time,expression\none,0.04,happiness\n"


def names(out):
    return sorted(path.name for path in out.iterdir() if path.name.startswith("labels"))


def test_other_labels_replace_table_and_settings(copied, tables):
    out, again = copied
    again(labels=tables("a.csv", FRAMES, {"spread": "hold"}))
    assert names(out) == ["labels.csv", "labels.json"]
    again(labels=tables("b.csv", FRAMES.replace("1", "2")))
    assert names(out) == ["labels.csv"] and "one,2" in (out / "labels.csv").read_text()
    again(labels=tables("c.parquet", "any"))
    assert names(out) == ["labels.parquet"]
    again()
    assert names(out) == ["labels.parquet"]


@pytest.mark.parametrize("edited", ["labels.csv", "labels.json"])
def test_edited_copies_are_kept(copied, tables, edited):
    out, again = copied
    again(labels=tables("a.csv", FRAMES, {"spread": "hold"}))
    (out / edited).write_text("mine")
    with pytest.raises(InputError, match=f"{edited} is not as this command has copied it, .*; move it elsewhere"):
        again(labels=tables("b.csv", FRAMES.replace("1", "2")))
    assert (out / edited).read_text() == "mine" and len(names(out)) == 2


def test_times_get_the_frame_rate_of_the_videos(copied, tables):
    out, again = copied
    again(labels=tables("a.csv", TIMES))
    assert json.loads((out / "labels.json").read_text()) == {"fps": 25}
    again(labels=tables("b.csv", TIMES, {"fps": 5}))
    assert json.loads((out / "labels.json").read_text()) == {"fps": 5}
    again(labels=tables("c.csv", "video,time,fps,expression\none,0.04,25,anger\n"))
    assert names(out) == ["labels.csv"]


def test_table_in_the_output_folder_is_not_copied(copied, tables):
    out, again = copied
    (out / "labels.csv").write_text(TIMES)
    again(labels=out / "labels.csv")
    assert names(out) == ["labels.csv", "labels.json"] and (out / "labels.csv").read_text() == TIMES
    with pytest.raises(InputError, match=r"labels\.csv is not as this command has copied it"):
        again(labels=tables("b.csv", FRAMES))
    assert (out / "labels.csv").read_text() == TIMES


def test_rate_of_videos_is_added_to_settings_without_one(copied, tables):
    out, again = copied
    labels = tables("a.csv", TIMES, {"spread": "hold"})
    summary = again(labels=labels)
    assert json.loads((out / "labels.json").read_text()) == {"spread": "hold", "fps": 25}
    assert "the table has times, so labels.json gets the frame rate of the videos, 25" in summary.notes
    assert out / "labels.json" in summary.files
    again(labels=labels)
    again(labels=tables("b.csv", FRAMES, {"spread": "nearest"}))
    assert json.loads((out / "labels.json").read_text()) == {"spread": "nearest"}


def test_rate_must_be_that_of_all_videos_in_the_folder(copied, videos, tables):
    """A call with one video, whose rate differs from that of another in the report."""
    out, again = copied
    report = json.loads((out / "crop.json").read_text())
    for video in report["videos"]:
        video["rate"] = 30.0 if video["name"] == "two" else video["rate"]
    (out / "crop.json").write_text(json.dumps(report))
    again(videos / "one.mp4", labels=tables("a.csv", TIMES))
    assert names(out) == ["labels.csv"]


def test_parquet_tables_with_times_get_the_rate(copied, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    out, again = copied
    parquet.write_table(arrow.table({"video": ["one"], "time": [0.04], "valence": [0.5]}), tmp_path / "a.parquet")
    again(labels=tmp_path / "a.parquet")
    assert json.loads((out / "labels.json").read_text()) == {"fps": 25}


def test_settings_written_by_hand_are_kept(copied, tables):
    """They stay beside the same table, and are not taken for those of another."""
    out, again = copied
    (out / "labels.csv").write_text(TIMES)
    (out / "labels.json").write_text('{"fps": 5}')
    again(labels=tables("a.csv", TIMES))
    assert (out / "labels.json").read_text() == '{"fps": 5}'
    (out / "labels.json").write_text('{"spread": "hold"}')
    again(labels=out / ".." / "out" / "labels.csv")
    assert (out / "labels.json").read_text() == '{"spread": "hold"}'
    (out / "labels.json").write_text('{"fps": 5}')
    with pytest.raises(InputError, match="labels.json is not as this command has copied it"):
        again(labels=tables("b.csv", TIMES.replace("0.04", "0.08")))
    assert (out / "labels.json").read_text() == '{"fps": 5}' and (out / "labels.csv").read_text() == TIMES


def test_other_table_that_is_no_copy_is_refused(copied, tables):
    """The folder would have two tables, of which readers refuse both."""
    out, again = copied
    (out / "labels.parquet").write_text("mine")
    with pytest.raises(InputError, match="labels.parquet is not as this command has copied it"):
        again(labels=tables("a.csv", FRAMES))
    assert names(out) == ["labels.parquet"]
