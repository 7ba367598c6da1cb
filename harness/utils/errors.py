"""Errors that a user reads: one message that says what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FramelightError(Exception):
    """Base class of the errors that are meant for users; the message says what, where and what to do.

    Commands end with `exit_code`: 1 where the work failed, 2 (`InputError`) where the command or its input is wrong.

    Examples
    --------
    >>> try:
    ...     HeadConfig("linear")
    ... except FramelightError as error:
    ...     print(error)
    unknown head 'linear'; known: logistic_regression, mlp, multitask, separate
    """

    exit_code = 1


class InputError(FramelightError):
    """The command or its input is wrong (exit code 2)."""

    exit_code = 2


def unknown_name_error(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that nothing answers to, with the nearest known names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    return InputError(f"unknown {kind} '{name}'; {hint}")
