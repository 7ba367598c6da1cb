"""Columns and cells of tables as spreadsheets, pandas and OpenFace write them."""

import pytest

from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset
from harness.data.table_columns import standard_name
from harness.metrics.tasks import ACTION_UNITS
from harness.utils.errors import InputError
from tests.data.test_table_forms import PLAIN, action_units, folder, messages, summary
from tests.helpers.data_folders import image_bytes, table


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Image", "image"),
        (" EXPRESSION ", "expression"),
        ("\ufeffSplit\u200b", "split"),
        ("AU01", "AU1"),
        (" AU01_c", "AU1"),
        ("au1", "AU1"),
        ("AU 26", "AU26"),
        ("AU-07_C", "AU7"),
        ("Valence", "valence"),
        ("AU01_r", None),
        ("AU5", None),
        ("AU45_c", None),
        ("AU1.1", None),
        ("AU", None),
        ("path", None),
        ("emotion", None),
        ("", None),
    ],
)
def test_spellings_of_columns(name, column):
    assert standard_name(name) == column


@pytest.mark.parametrize("pattern", ["AU{}", "au{}", "AU{:02d}", " AU{:02d}_c", "Au {}"])
@pytest.mark.parametrize("cell", ["1", "1.0", "1e0", "True", " TRUE"])
def test_action_units_in_the_spelling_of_openface_and_pandas(tmp_path, pattern, cell):
    root = folder(tmp_path, action_units([pattern.format(int(name[2:])) for name in ACTION_UNITS], cell))
    assert open_dataset(root).labels("au", "train").targets["au"].tolist() == [[1] * 12] * 2
    assert pattern.format(1).strip() in summary(root)["columns"]


@pytest.mark.parametrize(
    "cell", ["", "nan", "NaN", "NA", "N/A", "None", "null", "-", "<NA>", '""', "''", ' ""', '""""""', "'NA'", ' "nan"']
)
def test_missing_labels_are_not_annotated(tmp_path, cell):
    text = action_units([*ACTION_UNITS, "valence", "arousal"], "1.0", f"4.jpg,{cell},train{f',{cell}' * 14}\n")
    (tmp_path / "4.jpg").write_bytes(image_bytes())
    dataset = open_dataset(folder(tmp_path, text))
    assert check_dataset(tmp_path).errors == ()
    for task in ("expr", "va", "au"):
        assert dataset.labels(task, "train").frame.tolist() == [1, 2]
    stills = dataset.stills("train")
    assert stills.expression.tolist() == [1, 3, -1] and stills.au[2].tolist() == [-1] * 12
    assert stills.va.tolist() == [[1, 1], [1, 1], [-5, -5]]


@pytest.mark.parametrize("cell", ["''", '""', ' ""', " ''"])
def test_quotes_with_nothing_in_them_name_no_subject(tmp_path, cell):
    root = table(tmp_path, "image,expression,subject", f"1.jpg,anger,{cell}", f"2.jpg,fear,{cell}", "3.jpg,fear,'t")
    assert sorted(set(open_dataset(root).subjects)) == ["'t", "1.jpg", "2.jpg"]


@pytest.mark.parametrize("cell", ["'Fear'", ' "fear"', "' fear '"])
def test_quotes_around_labels_are_not_read(tmp_path, cell):
    row = f"2.jpg,{cell},'0.5',' -1 ',train"
    root = table(tmp_path, "image,expression,valence,arousal,split", "1.jpg,anger,0,0,train", row)
    dataset = open_dataset(root)
    assert dataset.labels("expr", "train").targets["expr"].tolist() == [1, 3]
    assert dataset.labels("va", "train").targets["va"].tolist() == [[0, 0], [0.5, -1]]


def test_columns_that_are_not_read_are_named(tmp_path):
    names = [f"AU{int(name[2:]):02d}_r" for name in ACTION_UNITS]
    root = folder(tmp_path, action_units([*names, "note", "Valance", "x_0", "x_1", "x_2", "AU14"], "0.5"))
    assert open_dataset(root).tasks() == ("expr",)
    assert summary(root)["columns"].endswith("AU15_r, AU23_r to AU26_r, note, Valance, x_0 to x_2, AU14")
    similar, intensities = messages(root, "columns")
    assert similar == "columns not read: Valance (did you mean valence?); rename them if so"
    assert intensities.startswith("columns not read: AU01_r, AU02_r, AU04_r") and "hold intensities" in intensities


def test_presence_is_read_beside_intensities_without_a_warning(tmp_path):
    names = [f"AU{int(name[2:]):02d}_{kind}" for kind in "rc" for name in ACTION_UNITS]
    root = folder(tmp_path, action_units(names, "1"))
    assert "au" in open_dataset(root).tasks() and messages(root, "columns") == []


def test_unread_columns_may_repeat_and_need_no_name(tmp_path):
    lines = PLAIN.splitlines()
    root = folder(
        tmp_path, "\n".join([f",{lines[0]},note,note", *(f"{i},{line},a,b" for i, line in enumerate(lines[1:]))])
    )
    assert summary(root)["columns"].endswith("; not read: (a column without a name), note, note")
    assert check_dataset(root).errors == ()


def test_decimal_commas(tmp_path):
    rows = ("1.jpg;anger;train;0,5;-,25", "2.jpg;fear;train;1;-1,0e-1", "3.jpg;fear;validation;-5;0.5")
    root = folder(tmp_path, "\n".join(["image;expression;split;valence;arousal", *rows]))
    assert open_dataset(root).labels("va", "train").targets["va"].tolist() == [[0.5, -0.25], [1, pytest.approx(-0.1)]]
    assert summary(root)["table"] == "labels.csv, 3 rows, separated by semicolons, decimal commas"
    root = folder(
        tmp_path, "\n".join(["image;expression;split;valence;arousal", rows[0].replace("0,5", "1.000,5"), *rows[1:]])
    )
    with pytest.raises(InputError, match=r"labels.csv:2: valence is '1.000,5', not a number"):
        open_dataset(root).labels("va", "train")


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("happy", "happiness"),
        ("Sad", "sadness"),
        ("ANGRY", "anger"),
        ("surprised", "surprise"),
        ("scared", "fear"),
        ("0_angry", "anger"),
    ],
)
def test_other_words_are_suggested_and_never_read(tmp_path, word, suggestion):
    root = folder(tmp_path, PLAIN.replace("fear", word))
    report = check_dataset(root)
    assert messages(root, "expression") == [f"unknown expression '{word}'; did you mean {suggestion}?"] * 2
    assert open_dataset(root).stills("train", []).expression.tolist() == [1, -1]
    assert render(report, 5).count(f"'{word}'") == 1 and "more of this kind (expression)" in render(report, 5)


@pytest.mark.parametrize("codes", [("3", "4"), ("1.0", "0")])
def test_numbers_of_classes_are_never_read(tmp_path, codes):
    root = folder(tmp_path, PLAIN.replace("anger", codes[0]).replace("fear", codes[1]))
    assert all("datasets number expressions differently; write one of" in text for text in messages(root, "expression"))
    assert "(3 lines)" in render(check_dataset(root), 5)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("dev", "mean validation"),
        ("valid", "mean validation"),
        ("PublicTest", "mean validation"),
        ("nan", "no split; write"),
    ],
)
def test_other_words_for_splits(tmp_path, word, words):
    assert words in messages(folder(tmp_path, PLAIN.replace("validation", word)), "split")[0]


def test_subjects_that_may_be_missing_or_spelled_in_two_ways(tmp_path):
    root = folder(tmp_path, PLAIN.replace("ann", "nan"))
    assert messages(root, "subject") == [
        "'nan' is read as the name of one subject, with 2 rows; leave the cells empty if the subject is unknown"
    ]
    assert open_dataset(root).labels("expr", "train").units == ("nan",)
    (message,) = messages(folder(tmp_path, PLAIN.replace("bob", "Ann")), "subject")
    assert "'Ann' and 'ann' differ in spelling alone" in message
