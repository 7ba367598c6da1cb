"""Logging of commands: messages are printed to stderr while a command runs."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from backbones.quiet_loggers import quiet_loggers
from harness.utils.escaping import escape_message

LOGGERS = ("harness", "backbones")
MAX_WIDTH = 140
"""Maximum width of a line of text in characters, however wide the terminal is."""
FILE_WIDTH = 100
"""Width in characters of a line of text that is not printed on a terminal."""


def has_cursor(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal that understands escape sequences."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def terminal_size(plain: bool = False) -> tuple[int, bool]:
    """Return the width of lines of text, and whether standard output shows bold text.

    Parameters
    ----------
    plain : bool, default=False
        Whether the text is written to a file, not to standard output.

    Returns
    -------
    width : int
        Number of characters: the environment variable COLUMNS or, if it is not set, the width of the terminal; at most
        `MAX_WIDTH`. `FILE_WIDTH` if `plain`, or if there is neither a terminal nor COLUMNS.
    is_bold : bool
        Whether the text is printed on a terminal that shows bold text, and NO_COLOR is not set.
    """
    if plain or (not (is_terminal := sys.stdout is not None and sys.stdout.isatty()) and not os.environ.get("COLUMNS")):
        return FILE_WIDTH, False
    width = min(shutil.get_terminal_size((FILE_WIDTH, 24)).columns, MAX_WIDTH)
    return width, is_terminal and has_cursor(sys.stdout) and not os.environ.get("NO_COLOR")


def table_width(plain: bool = False) -> int | None:
    """Return the width of tables: the width of text from `terminal_size`, or None for no limit.

    Tables in a file have no limit, unless the file is standard output and the environment variable COLUMNS is set.

    Parameters
    ----------
    plain : bool, default=False
        See `terminal_size`.

    Returns
    -------
    int or None
    """
    is_unlimited = plain or (_is_regular_file(sys.stdout) and not os.environ.get("COLUMNS"))
    return None if is_unlimited else terminal_size()[0]


def wrap_message(message: str, stream: TextIO | None) -> str:
    """Wrap the lines of a message for a terminal; words such as paths are not broken.

    Parameters
    ----------
    message : str
    stream : file object or None
        Where the message is printed. For files and pipes it is not wrapped, unless COLUMNS is set in the environment.

    Returns
    -------
    str
    """
    if not (stream is not None and stream.isatty()) and not os.environ.get("COLUMNS"):
        return message
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    return "\n".join(_wrap_line(line, width) for line in message.split("\n"))


def _wrap_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    body = line.lstrip("- ")
    indent = " " * max(2, len(line) - len(body))
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _is_regular_file(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


class ConsoleHandler(logging.Handler):
    """Handler that prints messages; a warning gets the prefix `warning: `.

    The same warning or note is printed only once. Control characters of names in messages are escaped. A
    reader that closes the pipe does not stop the command.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(logging.INFO)
        self.stream = stream
        self._remarks: set[str] = set()

    def format(self, record: logging.LogRecord) -> str:
        """Format a message; a warning gets its prefix."""
        message = escape_message(super().format(record))
        return f"warning: {message}" if record.levelno >= logging.WARNING else message

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message; discard it if the pipe is closed."""
        stream, text = self.stream or sys.stderr, self.format(record)
        if stream is None:  # closed by the caller
            return
        if text.startswith(("warning: ", "note: ")):
            if text in self._remarks:
                return
            self._remarks.add(text)
            text = wrap_message(text, stream)
        try:
            print(text, file=stream, flush=True)
        except BrokenPipeError:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


@contextmanager
def console_logging(stream: TextIO | None = None) -> Iterator[None]:
    """Print log messages of the project while the context lasts.

    Parameters
    ----------
    stream : file object, optional
        Stream to print to. Default: stderr.
    """
    handler, loggers = ConsoleHandler(stream), [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


def suppress_logging() -> AbstractContextManager[None]:
    """Suppress log messages of the project, and of nothing else, while the context lasts; see `quiet_loggers`."""
    return quiet_loggers(LOGGERS)
