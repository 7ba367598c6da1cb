"""The errors of this package: a backbone that cannot be had or written, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_LISTED = 20


class BackboneError(ValueError):
    """A backbone, its weights or its checkpoint cannot be used.

    hint: what the user can do about it ("" when the message says it all); str() joins the two. exit_code: what a
    command that fails by it ends with.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


class WriteError(BackboneError):
    """A file cannot be written: the disk is full, the folder is read-only. What was to be written is sound."""

    exit_code = 1


def printable(text: str, most: int = 200) -> str:
    """Text from a file, fit for a message: one line, no control characters, no more than that long."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])


def unknown_name_error(kind: str, name: str, known: Iterable[str]) -> BackboneError:
    """An error for a name that nothing answers to, with the nearest known names."""
    known = sorted(set(known))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    some = ", ".join(known[:MAX_LISTED]) + (f" and {len(known) - MAX_LISTED} more" * (len(known) > MAX_LISTED))
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {some}"
    return BackboneError(f"unknown {kind} '{name}'", hint)
