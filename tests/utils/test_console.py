"""Log messages as commands print them."""

import io
import logging
import os
import pty
import sys

import pytest

from backbones.engines.onnx_engine import suppress_exporter_output
from backbones.quiet_loggers import quiet_loggers
from harness.utils.console import console_logging, suppress_logging, table_width, terminal_size, wrap_message
from tests.helpers.logs import captured_logs

LOGGER = logging.getLogger("harness.some.module")


def test_messages_go_to_stderr_and_warnings_are_marked(capsys):
    with console_logging():
        LOGGER.debug("not printed")
        LOGGER.info("100% done")
        LOGGER.warning("a crop is missing")
        logging.getLogger("backbones.module").info("imported")
    out, err = capsys.readouterr()
    assert out == "" and err == "100% done\nwarning: a crop is missing\nimported\n"


def test_warnings_and_notes_are_printed_once(capsys):
    with console_logging():
        for message in ("note: a newer dataset", "10 jobs"):
            LOGGER.info(message)
            LOGGER.info(message)
        LOGGER.warning("slow")
        LOGGER.warning("slow")
    assert capsys.readouterr().err == "note: a newer dataset\n10 jobs\n10 jobs\nwarning: slow\n"


def test_messages_are_wrapped_for_terminals_only(monkeypatch, capsys):
    path = "/a/path/that/is-longer-than-the-terminal/and-is-not-broken.jpg"
    message = f"no such file: {path}; give the name of a file that exists\n  - an item of a list that is too long"
    monkeypatch.delenv("COLUMNS", raising=False)
    assert wrap_message(message, sys.stderr) == message
    monkeypatch.setenv("COLUMNS", "40")
    assert wrap_message(message, sys.stderr).splitlines() == [
        "no such file:",
        f"  {path};",
        "  give the name of a file that exists",
        "  - an item of a list that is too long",
    ]
    monkeypatch.setenv("COLUMNS", "30")
    assert wrap_message(message, None).splitlines()[-2:] == ["  - an item of a list that is", "    too long"]


def test_nested_contexts(capsys):
    stream = io.StringIO()
    with console_logging():
        with console_logging(stream):
            LOGGER.info("inner")
        LOGGER.info("outer")
    assert stream.getvalue() == "inner\n" and capsys.readouterr().err == "outer\n"
    assert not logging.getLogger("harness").handlers and logging.getLogger("harness").propagate


def test_suppressed_logging():
    with captured_logs() as messages:
        with suppress_logging():
            LOGGER.warning("suppressed")
        LOGGER.warning("printed")
    assert messages == ["warning: printed"]


def test_overlapping_suppressions_end_with_the_levels_of_before():
    harness = logging.getLogger("harness")
    before = harness.level
    first, second = suppress_logging(), suppress_logging()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not LOGGER.isEnabledFor(logging.CRITICAL)
    second.__exit__(None, None, None)
    assert harness.level == before and LOGGER.isEnabledFor(logging.CRITICAL)


@pytest.mark.parametrize("names", [("harness",), ("root",)])
def test_other_loggers_stay_heard(caplog, names):
    with quiet_loggers(names, logging.WARNING):
        logging.getLogger("of.a.user").warning("heard")
        logging.getLogger(None if names == ("root",) else "harness.some").warning("not heard")
        logging.getLogger(None if names == ("root",) else "harness.some").error("an error")
    assert caplog.messages == ["heard", "an error"] and not logging.getLogger().filters


def test_an_export_does_not_silence_other_loggers(caplog):
    with suppress_exporter_output():
        logging.getLogger("of.a.user").warning("heard")
        logging.getLogger("torch.onnx").warning("not heard")
    assert caplog.messages == ["heard"]


@pytest.mark.parametrize("columns, width", [("60", 60), ("120", 120), ("300", 140)])
def test_text_is_as_wide_as_the_terminal_up_to_a_limit(monkeypatch, columns, width):
    main_end, end = pty.openpty()
    with os.fdopen(end, "w") as terminal:
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert terminal_size() == (width, True) and terminal_size(plain=True) == (100, False)
    os.close(main_end)


@pytest.mark.parametrize(
    "name, value, bold", [("TERM", "dumb", False), ("NO_COLOR", "1", False), ("NO_COLOR", "", True)]
)
def test_bold_needs_a_terminal_that_shows_it(monkeypatch, name, value, bold):
    main_end, end = pty.openpty()
    with os.fdopen(end, "w") as terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert terminal_size()[1] is bold
    os.close(main_end)


@pytest.mark.parametrize("columns, width", [("", 100), ("60", 60), ("300", 140)])
def test_without_a_terminal_text_is_100_characters_wide_unless_columns_are_set(monkeypatch, tmp_path, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert terminal_size() == (width, False)
        assert table_width() == (width if columns else None)
    assert table_width(plain=True) is None
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal_size() == (width, False)


def test_a_table_in_a_pipe_is_100_characters_wide(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    read, write = os.pipe()
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert table_width() == 100
    os.close(read)


def test_messages_without_standard_error_go_nowhere(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with console_logging():
        LOGGER.info("not in standard output")
    assert capsys.readouterr().out == ""


def test_reader_that_closes_the_pipe_does_not_stop_the_work():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream, console_logging(stream):
        LOGGER.info("nobody reads this")
        LOGGER.info("nor this")
