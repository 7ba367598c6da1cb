"""Escapes of each output format."""

import csv
import html
import io
import re

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

FULL_WIDTH = ("＝", "＋", "－", "＠")
"""What some spreadsheets take for =, +, - and @."""
AUTOLINKS = (
    "https://evil.example",
    "see (HTTP://evil.example/a?b=c_d)",
    "ftp://evil.example",
    "www.evil.example",
    "WwW.evil.example",
    "me@evil.example",
    "me@.example",
    "mailto:me@evil.example",
    "xmpp:me@evil.example/x",
    "a/www.evil.example www.www.evil.example",
)


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


@given(st.one_of(st.text(alphabet="'=+-@＝＋－＠ab0.5"), st.sampled_from(FORMULAS)))
def test_a_cell_of_a_csv_comes_back(text):
    file = io.StringIO()
    csv.writer(file).writerow([escape_csv(text)])
    (cell,) = next(csv.reader(io.StringIO(file.getvalue()))) if text else ("",)
    assert unescape_csv(cell) == escape_text(text) or text != escape_text(text)
    assert not cell.startswith(("=", "+", "@", "\t", "\r", *FULL_WIDTH)) or float(cell) is not None


@pytest.mark.parametrize("sign", FULL_WIDTH)
def test_formulas_with_full_width_signs_are_text(sign):
    assert escape_csv(f"{sign}1+1") == f"'{sign}1+1" and unescape_csv(f"'{sign}1+1") == f"{sign}1+1"
    assert unescape_csv(escape_csv(f"'{sign}1")) == f"'{sign}1" and escape_csv(f"a{sign}b") == f"a{sign}b"


@pytest.mark.parametrize("text", AUTOLINKS)
def test_markdown_has_no_address_that_becomes_a_link(text):
    """Addresses of the autolink extension of GitHub Flavored Markdown 0.29, section 6.9."""
    escaped = escape_markdown(text)
    assert not re.search(r"(https?|ftp)://|www\.|[\w.+-]@[\w-]*\.", escaped, re.IGNORECASE)
    plain = escaped.replace("<!-- -->", "")
    assert html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", plain)) == text


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
