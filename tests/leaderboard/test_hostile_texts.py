"""Texts of records in the formats of a board: they stay in their cell, and do nothing there."""

import csv
import io
import json
import re

import pytest

from harness.cli import main
from harness.leaderboard.render import FORMATS, render
from harness.leaderboard.rows import leaderboard_rows
from harness.tracking.export_records import write
from harness.tracking.record_json import to_json
from harness.utils.escaping import escape_text, unescape_csv
from harness.utils.store import Store
from tests.helpers.hostile_records import FORMULAS, MARKUP, TEXTS, tagged, write_database
from tests.helpers.job_statistics import keep
from tests.helpers.records import record
from tests.leaderboard.test_cost import exported

FIELDS = ("dataset", "backbone", "backbone_weights", "recipe")
LABELS = ("features", "head", "kernel", "task", "metric", "split", "protocol")
BOARDS = ("", "--optimism", "--cost", "--published")


def store_of(tmp_path, text, fields=FIELDS):
    """A store whose records have a text in every field that may hold any."""
    store, named = tmp_path / "store", dict.fromkeys(fields, text)
    config = {"note": text, "source": text, "l2": text, "head": {"kind": "mlp", "hidden": text}}
    one = keep(store, "aaaa", 0.6, seeds=(0, 1), config={**config, "protocol": {"name": "held-out"}}, **named)
    two = keep(store, "bbbb", 0.5, seeds=(0, 1), config={**config, "l2": f"{text} 2"}, **named)
    three = keep(
        store,
        "cccc",
        0.5,
        seeds=(0, 1),
        config={**config, "protocol": {"name": "published"}},
        protocol="published",
        **named,
    )
    write(Store(store), exported(one[0], "float32", file=text, device=text))
    runs = [tagged(f"run{i}", to_json(job), job.job_id) for i, job in enumerate((*one, *two, *three))]
    write_database(store / "mlflow.db", runs)
    return store


def shown(capsys, *arguments):
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 0, capsys.readouterr().err
    told = capsys.readouterr()
    assert "defect" not in told.err
    return told.out + told.err


def assert_plain(text):
    text.encode()
    assert not [character for character in text if not character.isprintable() and character != "\n"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_board_shows_no_control_character(tmp_path, capsys, text):
    store, plain = store_of(tmp_path, text), store_of(tmp_path / "plain", "c" * len(text))
    for board in BOARDS:
        for form in FORMATS:
            arguments = ("--format", form, *filter(None, [board]))
            out = shown(capsys, "leaderboard", "--store", store, *arguments)
            assert_plain(out)
            assert not re.search(r"^ *1 +best", out, re.MULTILINE)
            if form in ("csv", "json"):
                expected = shown(capsys, "leaderboard", "--store", plain, *arguments)
                assert len(out.splitlines()) == len(expected.splitlines()), "no text has added a row"


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markdown_of_a_text_is_the_text(tmp_path, capsys, text):
    store = store_of(tmp_path, text)
    for board in BOARDS:
        out = shown(capsys, "leaderboard", "--store", store, "--format", "md", *filter(None, [board]))
        assert not re.search(r"(?<!\\)[\[\]`]", out.replace("[d0d0d0]", "")), "links and code are escaped"
        assert "<" not in out.replace("<0.001", "") and "**" not in out
        tables = [block for block in out.split("\n\n") if block.startswith("| ")]
        for table in tables:
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(columns) == 1, table


@pytest.mark.parametrize("text", FORMULAS, ids=range(len(FORMULAS)))
def test_no_cell_of_a_csv_is_a_formula(tmp_path, capsys, text):
    store = store_of(tmp_path, text)
    for board in BOARDS:
        out = shown(capsys, "leaderboard", "--store", store, "--format", "csv", *filter(None, [board]))
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]
        assert all(float(cell) < 0 for cell in cells if cell.startswith("-"))
        texts = {unescape_csv(cell) for cell in cells}
        assert escape_text(text) in texts or escape_text(text) == "", "the text itself is there"


def test_numbers_of_a_csv_stay_numbers():
    one = record("aaaa", 0, -0.5, ci_low=-0.7, ci_high=-0.3, unsmoothed={})
    row = next(csv.DictReader(io.StringIO(render(leaderboard_rows([one]), "csv"))))
    assert (row["value"], row["ci_low"], row["ci_high"]) == ("-0.500000", "-0.700000", "-0.300000")


def test_json_has_the_texts_themselves(tmp_path, capsys):
    for name, text in {**TEXTS, **MARKUP}.items():
        store = store_of(tmp_path / name.replace(" ", "_"), text)
        rows = json.loads(shown(capsys, "leaderboard", "--store", store, "--format", "json"))
        assert {row["backbone"] for row in rows} == {text}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_show_and_compare_print_no_control_character(tmp_path, capsys, text):
    store = store_of(tmp_path, text)
    plain = store_of(tmp_path / "plain", "cheap")
    for arguments in (("show", "aaaa"), ("compare", "aaaa", "bbbb")):
        out = shown(capsys, *arguments, "--store", store)
        assert_plain(out)
        assert not re.search(r"^ *1 +best", out, re.MULTILINE)
        if "\n" in text:
            expected = shown(capsys, *arguments, "--store", plain)
            assert {line.split()[0] for line in out.splitlines() if line[:1].strip()} <= {
                line.split()[0] for line in expected.splitlines() if line[:1].strip()
            } | {"1"} - {"1"}, "no line begins with what a text says"
    shown(capsys, "show", "aaaa", "--store", store, "--format", "json")


def test_names_of_videos_are_escaped(tmp_path, capsys):
    videos = tuple(f"video{i:02}\x1b[2J\n999" for i in range(30))
    store = tmp_path / "store"
    jobs = [*keep(store, "aaaa", 0.6, videos=videos), *keep(store, "bbbb", 0.5, videos=videos)]
    write_database(store / "mlflow.db", [tagged(f"r{i}", to_json(job), job.job_id) for i, job in enumerate(jobs)])
    out = shown(capsys, "compare", "aaaa", "bbbb", "--store", store)
    assert_plain(out)
    assert not [line for line in out.splitlines() if line.startswith("999")] and r"\x1b[2J\n999" in out


def test_a_message_names_a_run_in_one_line(tmp_path, capsys):
    store = store_of(tmp_path, TEXTS["newline"])
    assert main(["show", "best:va\x1b[2J\nframelight: all is well", "--store", str(store)]) == 2
    err = capsys.readouterr().err
    assert_plain(err)
    assert sum(line.startswith("framelight: ") for line in err.splitlines()) == 1
