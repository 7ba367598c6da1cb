"""Frame tables read with Arrow: the same as without it."""

import sys

import numpy as np
import pandas as pd
import pytest

from harness.data.arrow_table import read_plain_csv
from harness.data.coded_table import from_text_table
from harness.data.csv_table import read_table
from harness.data.frame_columns import find_frame_columns, standard_frame_name
from harness.data.registry import open_dataset
from harness.utils.errors import InputError
from tests.helpers.frame_tables import by_frame, frame_table

PLAIN = 'video,frame,expression,valence,arousal,note\na,1,anger,0.5,-1,x\na,2,,NaN,,y\nb,1,FEAR,-5," 1",\n'


def fast(path):
    return read_plain_csv(path, standard_frame_name, find_frame_columns)


def slow(path):
    return from_text_table(read_table(path, standard_frame_name, find_frame_columns))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip(),
        PLAIN + "\r\n\n\n",
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";").replace("0.5", "0,5"),
        PLAIN.replace(",", "\t"),
        '"video","frame","expression"\n"a,b","1","anger"\n"a","2","fear"\n',
        PLAIN.replace("a,1", "\u00e9,1").replace("x\n", "\u00fc\n"),
        PLAIN.replace("NaN", ' ""').replace("FEAR", "'fear'").replace("b,1", "'',1"),
    ],
    ids=["plain", "no last newline", "blank end", "CRLF", "BOM", "semicolons", "tabs", "quotes", "accents", "quoted"],
)
def test_plain_files_are_read_as_without_arrow(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    read, expected = fast(tmp_path / "labels.csv"), slow(tmp_path / "labels.csv")
    assert read is not None and read.lines.tolist() == expected.lines.tolist()
    assert (read.form, read.names, read.faults) == (expected.form, expected.names, expected.faults)
    assert [note.message for note in read.warnings] == [note.message for note in expected.warnings]
    assert list(read.columns) == list(expected.columns)
    for name, column in read.columns.items():
        other = expected.columns[name]
        assert [column[row] for row in range(len(read))] == [other[row] for row in range(len(read))]
        assert column.filled.tolist() == other.filled.tolist()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("a,2", "\na,2").encode(),
        PLAIN.replace("x\n", '"x\ny"\n').encode(),
        PLAIN.replace("y\n", "y,z\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        b"sep=,\n" + PLAIN.encode(),
        b"\n" + PLAIN.encode(),
        PLAIN.replace("x", "\u00fc").encode("cp1252"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("x", "\0").encode(),
        PLAIN.replace("a,1", "a" * 5000 + ",1").encode(),
        (PLAIN + ",,,,,\n").encode(),
        PLAIN.splitlines()[0].encode() + b"\n",
        b"",
    ],
    ids=[
        "blank",
        "newline in a cell",
        "width",
        "CR",
        "sep",
        "first",
        "1252",
        "16",
        "NUL",
        "long",
        "empty",
        "none",
        "0",
    ],
)
def test_other_files_are_left_to_the_slower_reader(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    assert fast(tmp_path / "labels.csv") is None


def test_without_arrow(tmp_path, monkeypatch):
    root = frame_table(tmp_path, "video,frame,expression", "a,1,anger", "b,1,fear")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert fast(root / "labels.csv") is None and len(open_dataset(root).labels("expr", "train")) == 1
    (root / "labels.csv").rename(root / "labels.parquet")
    with pytest.raises(
        InputError, match="labels.parquet: parquet files need pyarrow; run `pip install pyarrow`, or write"
    ):
        open_dataset(root)


def parquet(root, **columns):
    frame_table(root, "x")
    (root / "labels.csv").unlink()
    pd.DataFrame(columns).to_parquet(root / "labels.parquet")
    return root


def test_parquet_of_any_type_of_column(tmp_path):
    columns = {
        "video": pd.Categorical(["a", "a", "b"]),
        "frame": np.array([1.0, 2.0, 1.0]),
        "expression": ["anger", None, "fear"],
        "valence": np.array([0.1, np.nan, -1], np.float32),
        "arousal": pd.array([None, 1, 0], "Int8"),
        "split": ["train", "train", "val"],
        "AU1": [True, False, True],
    }
    dataset = open_dataset(parquet(tmp_path, **columns))
    assert by_frame(dataset.labels("expr", "train")) == {("a", 1): 1}
    assert by_frame(dataset.labels("va", "train"), "va") == {("a", 1): [pytest.approx(0.1), -5], ("a", 2): [-5, 1]}
    assert dict(dataset.summary())["table"] == "labels.parquet, 3 rows"
    assert open_dataset(tmp_path / "labels.parquet").labels_digest("expr", "train")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"frame": [1, None]}, r"labels.parquet:2: frame is '', not an integer"),
        ({"frame": [[1], [2]]}, r"labels.parquet: column frame has the type list.*; write text or numbers"),
        ({"frame": [1, 2], "expression": ["anger", "happy"]}, r"labels.parquet:2: unknown expression 'happy'"),
        ({"frames": [1, 2]}, r"labels.parquet:1: no column frame, time, or .*; perhaps rename frames to frame"),
    ],
)
def test_parquet_that_is_refused(tmp_path, columns, words):
    columns = {"video": ["a", "b"], "expression": ["anger", "fear"], "split": ["train", "train"]} | columns
    with pytest.raises(InputError, match=words):
        open_dataset(parquet(tmp_path, **columns)).labels("expr", "train")


def test_parquet_without_rows_or_that_is_no_parquet(tmp_path):
    root = parquet(tmp_path, video=np.array([], str), frame=np.array([], int), expression=np.array([], str))
    with pytest.raises(InputError, match="labels.parquet: the table has no rows"):
        open_dataset(root)
    (root / "labels.parquet").write_bytes(b"video,frame\n")
    with pytest.raises(InputError, match="labels.parquet: cannot be read as a parquet file"):
        open_dataset(root)
