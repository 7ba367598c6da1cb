"""Escapes of each output format."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.utils.console import ConsoleHandler, console_logging
from harness.utils.escaping import (
    escape_csv,
    escape_lines,
    escape_markdown,
    escape_message,
    escape_text,
    map_text,
    unescape_csv,
)
from tests.helpers.hostile_records import FORMULAS, MARKUP, TEXTS
from tests.helpers.records import record


@given(st.text())
def test_escaped_text_is_printable_and_encodable(text):
    for escape in (escape_text, escape_markdown, escape_csv):
        assert escape(text).isprintable()
        escape(text).encode()
    assert escape_text(escape_text(text)) == escape_text(text)
    assert text.isprintable() == (escape_text(text) == text)


@given(st.text())
def test_lines_stay_lines(text):
    assert len(escape_lines(text).split("\n")) == len(text.split("\n"))
    assert escape_message(text).splitlines()[1:] == [
        line for line in escape_message(text).splitlines()[1:] if not line or line.startswith("  ")
    ]


@given(st.one_of(st.text(alphabet="'=+-@ab0.5"), st.sampled_from(FORMULAS)))
def test_a_cell_of_a_csv_comes_back(text):
    file = io.StringIO()
    csv.writer(file).writerow([escape_csv(text)])
    (cell,) = next(csv.reader(io.StringIO(file.getvalue()))) if text else ("",)
    assert unescape_csv(cell) == escape_text(text) or text != escape_text(text)
    assert not cell.startswith(("=", "+", "@", "\t", "\r")) or float(cell) is not None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_of_a_csv_stay(number):
    assert escape_csv(str(number)) == str(number) and escape_csv(f"{number:+.3e}") == f"{number:+.3e}"


def test_bold_lines_stay_bold_and_only_those():
    assert escape_lines("a\n\033[1mb\033[0m") == "a\n\033[1mb\033[0m"
    assert escape_lines("\033[1mb\033[31m\033[0m") == "\033[1mb\\x1b[31m\033[0m"
    assert escape_lines("a \033[1mb\033[0m") == r"a \x1b[1mb\x1b[0m"


@pytest.mark.parametrize("text", [*TEXTS.values(), *MARKUP.values()])
def test_texts_inside_records_are_escaped(text):
    changed = map_text(record(backbone=text, config={text: [text, 1]}, flags=(text,)), escape_text)
    assert changed.backbone == escape_text(text) and changed.flags == (escape_text(text),)
    assert changed.config == {escape_text(text): [escape_text(text), 1]} and changed.seed == 0


def test_log_messages_are_escaped_and_not_repeated(caplog):
    import logging

    stream = io.StringIO()
    with console_logging(stream):
        logger = logging.getLogger("harness.somewhere")
        for _ in range(2):
            logger.warning("no such file: a\x1b[2J\nwarning: forged \ud800")
        logger.info("twice")
        logger.info("twice")
    assert stream.getvalue() == ("warning: no such file: a\\x1b[2J\n  warning: forged \\ud800\ntwice\ntwice\n")
    assert isinstance(ConsoleHandler(stream), logging.Handler)
