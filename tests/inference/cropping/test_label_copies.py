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
