"""Tables as spreadsheets, pandas and OpenFace write them: separators, encodings and rows."""

import pytest

from harness.cli import main
from harness.data.check import check_dataset
from harness.data.registry import open_dataset
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
        open_dataset(tmp_path).image_exists  # noqa: B018


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
