"""Tables as spreadsheets, pandas and OpenFace write them: separators, encodings, columns and cells."""

import pytest

from harness.cli import main
from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset
from harness.data.table_columns import standard_name
from harness.metrics.tasks import ACTION_UNITS
from harness.utils.errors import InputError
from tests.helpers.data_folders import image_bytes

ROWS = (("1.jpg", "anger", "ann", "train"), ("2.jpg", "fear", "ann", "train"), ("3.jpg", "fear", "bob", "validation"))
PLAIN = "image,expression,subject,split\n" + "\n".join(map(",".join, ROWS)) + "\n"


def folder(root, content):
    for name, *_ in ROWS:
        (root / name).write_bytes(image_bytes())
    (root / "labels.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def summary(root):
    return dict(check_dataset(root).summary)


def messages(root, kind):
    return [problem.message for problem in check_dataset(root).problems if problem.kind == kind]


def action_units(names, cell, more=""):
    header = ",".join(["image", "expression", "split", *names])
    return "\n".join([header, *(f"{n},{e},{s},{','.join([cell] * len(names))}" for n, e, _, s in ROWS), more])


@pytest.mark.parametrize("content", [PLAIN.replace(",", mark) for mark in (";", "\t", "|")], ids=["semi", "tab", "bar"])
@pytest.mark.parametrize("setting", ["", "sep={}\r\n", '"sep={}"\n'])
def test_separator_is_that_of_the_header(tmp_path, content, setting):
    mark = content[5]
    root = folder(tmp_path, setting.format(mark) + content)
    assert open_dataset(root).labels("expr", "train").targets["expr"].tolist() == [1, 3]
    assert summary(root)["table"].startswith("labels.csv, 3 rows, separated by ")
    (root / "labels.csv").write_text(setting.format(mark) + content.replace("anger", "x"))
    with pytest.raises(InputError, match=rf"labels.csv:{3 if setting else 2}: unknown expression 'x'"):
        open_dataset(root).labels("expr", "train")


def test_commas_are_preferred_where_a_column_name_contains_semicolons(tmp_path):
    root = folder(
        tmp_path, PLAIN.replace("split\n", "split,a;b;c;d;e;f\n").replace("train\n", "train,\n").rstrip() + ",x\n"
    )
    assert len(open_dataset(root).labels("expr", "train")) == 2


@pytest.mark.parametrize(
    ("encoding", "form"), [("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-be", "UTF-16-BE"), ("utf-32", "UTF-32")]
)
def test_unicode_encodings(tmp_path, encoding, form):
    root = folder(tmp_path, PLAIN.replace("ann", "Anné").encode(encoding))
    labels = open_dataset(root).labels("expr", "train")
    assert labels.units == ("Anné",) and form in summary(root)["table"]
    assert len(messages(root, "encoding")) == (encoding == "utf-16-be")  # without a mark


def test_windows_encoding_is_assumed_with_a_warning(tmp_path):
    root = folder(tmp_path, PLAIN.replace("ann", "Anné").encode("cp1252"))
    assert open_dataset(root).labels("expr", "train").units == ("Anné",)
    (message,) = messages(root, "encoding")
    assert message.startswith("not a text file in UTF-8 (byte 0xe9 on line 2); read as Windows-1252, where it is 'é'")
    assert open_dataset(root).notices() == (f"{root / 'labels.csv'}: {message}",)


def test_an_encoding_that_was_guessed_wrongly_is_named_where_no_image_is_found(tmp_path):
    (tmp_path / "labels.csv").write_bytes("image,expression\n\u753b\u50cf.jpg,anger\n".encode("shift_jis"))
    with pytest.raises(InputError, match=r"none of its 1 .* in UTF-8 \(byte 0x89 on line 2\); read as Windows-1252"):
        check_dataset(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the table is empty; its first line names the columns"),
        (b"\n \n\t\n", "the table is empty"),
        (b"image,expression\n", r"labels.csv:1: no row follows the header"),
        (b"\n\nimage,expression\n", r"labels.csv:3: no row follows the header"),
        (b"image,expression\n1.jpg,an\0ger\n", "labels.csv:2: a NUL character, so this is not a text file"),
        (b"PK\x03\x04 sheets", "a workbook of a spreadsheet program, not a text file"),
        (b"image,expression\n1.jpg,\x81\n", r"UTF-8 or Windows-1252 \(byte 0x81 on line 2\); save it as UTF-8"),
        (image_bytes("PNG"), "not a text file"),
        (
            PLAIN.replace("2.jpg", '"2.jpg') + "x" * 200_000,
            r"labels.csv:3: .* a quote on this line .* may not be closed",
        ),
        (PLAIN.replace("subject", "Image"), "columns image and Image both mean image; remove one"),
        (action_units(["AU1", "AU01"], "1"), "columns AU1 and AU01 both mean AU1; remove one"),
        (action_units(["AU1", "AU01_c"], "1"), "columns AU1 and AU01_c both mean AU1"),
        (
            "pth,label,relFCs\n1.jpg,2,0.1\n",
            "columns are pth, label, relFCs; perhaps rename pth to image, rename label",
        ),
        ("path;emotion\n1.jpg;anger\n", "the columns are path, emotion; perhaps rename path to image, rename emotion"),
        ("file_name,Emotion,set\n1.jpg,anger,a\n", "rename file_name to image, rename set to split, rename Emotion"),
    ],
)
def test_tables_that_are_refused(tmp_path, content, words):
    with pytest.raises(InputError, match=words):
        open_dataset(folder(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\n\n" + PLAIN + "\n\n",
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n", ",,\n"),
        PLAIN.replace("split\n", "split,,\n"),
        PLAIN.replace("train\n", "train,\n"),
        PLAIN + ",,,\n, ,,\n",
        ",".join(f'"{name}"' for name in PLAIN.split("\n")[0].split(",")) + "\n" + PLAIN.split("\n", 1)[1],
    ],
)
def test_blank_lines_and_cells_after_the_last_column_are_ignored(tmp_path, content):
    root = folder(tmp_path, content)
    report = check_dataset(root)
    assert report.errors == () and dict(report.summary)["table"] == "labels.csv, 3 rows"
    assert dict(report.summary)["columns"] == "read: image, expression, subject, split"
    assert open_dataset(root).labels("expr", "train").units == ("ann",)


def test_rows_of_another_width_are_named(tmp_path):
    root = folder(tmp_path, PLAIN.replace("2.jpg,fear", '2.jpg,"fear') + "4.jpg,fear\n5.jpg,a,b,train,0,5\n")
    assert messages(root, "row") == [
        "2 columns, but the header has 4; the row begins on line 3, where a quote may not be closed"
    ]
    root = folder(tmp_path, PLAIN + "4.jpg,fear\n5.jpg,a,b,train,0,5\n")
    assert messages(root, "row") == [
        "2 columns, but the header has 4",
        "6 columns, but the header has 4; put quotes around cells that contain commas",
    ]


def test_long_cells_are_refused_where_they_are_read(tmp_path):
    root = folder(
        tmp_path,
        PLAIN.replace("bob", "b" * 50_000)
        .replace("split\n", "split,note\n")
        .replace("train\n", f"train,{'n' * 50_000}\n")
        .replace("validation\n", "validation,\n"),
    )
    assert messages(root, "row") == ["a cell has 50,000 characters; at most 4,096 are read"]
    assert open_dataset(root).table.columns["image"].tolist() == ["1.jpg", "2.jpg"]


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


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NA", "N/A", "None", "null", "-", "<NA>"])
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
    assert all("datasets number them differently; write the name" in text for text in messages(root, "expression"))
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


def test_run_names_the_first_problem_and_counts_the_others(tmp_path):
    dataset = open_dataset(folder(tmp_path, PLAIN.replace("anger", "happy").replace("fear", "sad")))
    with pytest.raises(
        InputError, match=r":2: unknown expression 'happy'.* \(and 1 more problem; `framelight data check`"
    ):
        dataset.labels("expr", "train")


def test_reports_are_limited_unless_all_is_asked_for(tmp_path, capsys):
    rows = [f"{n}.jpg,w{n % 8},s{n},train" for n in range(40)]
    root = folder(tmp_path, "\n".join([PLAIN.split("\n")[0], *rows]))
    assert main(["data", "check", str(root)]) == 2
    limited = capsys.readouterr().out
    assert limited.count("unknown expression") == 5 and "error    and 35 more of this kind (expression)" in limited
    assert limited.count("no image file") == 5 and "error    and 32 more of this kind (missing image)" in limited
    assert "; --all lists all of them" in limited
    assert main(["data", "check", str(root), "--all"]) == 2
    whole = capsys.readouterr().out
    assert whole.count("unknown expression") == 40 and whole.count("no image file") == 37 and "more of" not in whole
    errors = next(line for line in whole.splitlines() if " errors, " in line)
    assert f"{errors}; --all lists all of them" in limited
