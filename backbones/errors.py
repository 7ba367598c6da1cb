"""Errors of this package, with hints on what to do about them."""

from __future__ import annotations

import difflib
import shutil
import textwrap
from collections.abc import Iterable

MAX_LISTED = 20
MAX_LINE = 60
"""Largest number of characters of a list of names that is put on the same line as its message."""
MAX_WIDTH = 100
"""Largest width of a list in a message, in characters, however wide the terminal is."""


class BackboneError(ValueError):
    """A backbone, its weights or its checkpoint cannot be used.

    Parameters
    ----------
    message : str
        Description of the problem and its place.
    hint : str
        Advice for the user; "" if the message is enough. `str()` of the error joins message and hint.

    Attributes
    ----------
    exit_code : int
        Exit status of a command that fails with this error.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


class WriteError(BackboneError):
    """A file cannot be written, for example because the disk is full or the folder is read-only."""

    exit_code = 1


def printable(text: str, most: int = 200) -> str:
    """Sanitize text from a file for a message: one line, control characters replaced, at most `most` characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])


def unknown_name_error(kind: str, name: str, known: Iterable[str]) -> BackboneError:
    """Return an error for an unknown name that suggests similar names or, if there are none, lists valid ones.

    Parameters
    ----------
    kind : str
        Kind of object that the name refers to, such as `backbone`.
    name : str
        The unknown name.
    known : iterable of str
        The valid names.

    Returns
    -------
    BackboneError
        The error, to be raised by the caller.
    """
    names = sorted(set(known))
    similar = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if similar:
        return BackboneError(f"unknown {kind} '{name}'", f"did you mean {' or '.join(similar)}?")
    names.sort(key=lambda other: -difflib.SequenceMatcher(None, other, name).ratio())
    if len(", ".join(names)) <= MAX_LINE:
        return BackboneError(f"unknown {kind} '{name}'", f"known: {', '.join(names)}")
    more = f" and {len(names) - MAX_LISTED} more" * (len(names) > MAX_LISTED)
    return BackboneError(f"unknown {kind} '{name}'", f"known:\n{_wrap(', '.join(names[:MAX_LISTED]) + more)}")


def _wrap(text: str) -> str:
    """Wrap a list of names for a message, indented."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    return textwrap.fill(
        text, width, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
