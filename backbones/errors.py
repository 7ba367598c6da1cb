"""Errors of this package, with hints on what to do about them."""

from __future__ import annotations

import difflib
import shutil
import textwrap
from collections.abc import Iterable

MAX_LISTED = 20
MAX_LINE = 60
"""Maximum length in characters of a list of names on the same line as its message."""
MAX_WIDTH = 100
"""Maximum width in characters of a list in a message, however wide the terminal is."""


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


def unknown_name_error(kind: str, name: str, known: Iterable[str], most: int | None = MAX_LISTED) -> BackboneError:
    """Return an error for an unknown name, with similar names or, if there are none, a list of the valid names.

    Parameters
    ----------
    kind : str
        Kind of object that the name refers to, such as `backbone`.
    name : str
        The unknown name.
    known : iterable of str
        The valid names. They are listed if none is similar enough to suggest; a long list then begins with the closest.
    most : int or None, default=20
        Largest number of names in a long list. None: all.

    Returns
    -------
    BackboneError
        The error, to be raised by the caller.
    """
    names = sorted(set(known))
    if similar := did_you_mean(name, names, cutoff=0.5):
        return BackboneError(f"unknown {kind} '{name}'", similar)
    hint = f"known: {', '.join(names)}"
    if len(hint) > MAX_LINE:
        names.sort(key=lambda other: -difflib.SequenceMatcher(None, other, name).ratio())
        hint = f"known:\n{wrap_item(join_first(names, most))}"
    return BackboneError(f"unknown {kind} '{name}'", hint)


def did_you_mean(name: str, known: Iterable[str], most: int = 3, cutoff: float = 0.6, prefix: str = "") -> str:
    """Return a question that suggests the known names most similar to a name; "" if none is similar.

    Parameters
    ----------
    name : str
    known : iterable of str
    most : int, default=3
        Largest number of names.
    cutoff : float, default=0.6
        Smallest similarity, between 0 and 1; see `difflib.get_close_matches`.
    prefix : str, default=""
        Text before each suggested name.
    """
    similar = [prefix + other for other in difflib.get_close_matches(name, list(known), most, cutoff)]
    return f"did you mean {' or '.join(similar)}?" if similar else ""


def join_first(names: Iterable[str], most: int | None) -> str:
    """Join the first `most` names by commas and count the others; None joins all.

    Examples
    --------
    >>> join_first(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    names = list(names)
    more = f" and {len(names) - most:,} more" if most is not None and len(names) > most else ""
    return ", ".join(names[:most]) + more


def wrap_item(text: str, mark: str = "  ") -> str:
    """Wrap a list item of a message to the width of the terminal, indented below `mark`."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    indent = " " * len(mark)
    return textwrap.fill(
        text, width, initial_indent=mark, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
