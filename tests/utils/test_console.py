"""Log messages as commands print them."""

import io
import logging
import os

from harness.utils.console import console_logging, suppress_logging
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


def test_reader_that_closes_the_pipe_does_not_stop_the_work():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream, console_logging(stream):
        LOGGER.info("nobody reads this")
        LOGGER.info("nor this")
