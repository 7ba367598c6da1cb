"""Standard streams of commands: handle closed streams, and encodings that lack characters."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.utils.errors import FramelightError

REPLACE = "framelight.replace"
"""Name of the `codecs` error handler that replaces characters an encoding lacks."""
REPLACEMENTS = {"\u2026": "...", "\u00b1": "+-", "\u2212": "-", "\u2013": "-", "\u2192": "->", "\u2265": ">="}
"""ASCII text for the characters that messages and tables use; other characters become escapes."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks; an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (REPLACEMENTS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in characters)
    return "".join(escaped), error.end


codecs.register_error(REPLACE, _replace)


def encodable(text: str) -> str:
    r"""Replace the characters of a text that standard output cannot encode.

    Examples
    --------
    >>> "0.5 \u00b1 0.1 \u00fc".encode("ascii", REPLACE)
    b'0.5 +- 0.1 \\xfc'
    """
    if text.isascii():
        return text
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, REPLACE).decode(encoding)


@contextmanager
def command_streams() -> Iterator[None]:
    """Make the standard streams usable in a context, even if they are closed or their encodings lack characters.

    Closed streams are opened on the null device, also for subprocesses: otherwise the next file that is opened would
    become standard output. Characters that an encoding lacks are replaced.
    """
    open_closed_streams()
    streams: list[Any] = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    before = [(stream, stream.errors) for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=REPLACE)
    try:
        yield
    finally:
        for stream, errors in before:
            with suppress(ValueError, OSError):  # closed, or its reader has gone
                stream.reconfigure(errors=errors)


def open_closed_streams() -> None:
    """Open closed standard streams on the null device, for this process and its subprocesses."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode = "r" if number == 0 else "w"
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def flush_output() -> None:
    """Write the buffered rest of standard output.

    Raises
    ------
    BrokenPipeError
        If the process that reads the output has closed it.
    FramelightError
        If the output cannot be written, for instance to a file on a full disk.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise FramelightError(f"cannot write standard output: {error.strerror or error}") from error


def discard_output() -> None:
    """Redirect standard output to the null device, so that Python does not fail to flush the rest at exit."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
