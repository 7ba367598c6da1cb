"""Errors for users, whose messages say what went wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from harness.utils.message_lists import wrap_names

MAX_LINE = 60
"""Maximum length in characters of a list of names on the same line as its message."""


class FramelightError(Exception):
    """Base class of errors for users; the message says what went wrong, where, and what to do.

    Attributes
    ----------
    exit_code : int
        Exit status of a command: 1 if the work failed, 2 (`InputError`) if the command or its input is wrong.

    Examples
    --------
    >>> from harness import FramelightError, HeadConfig
    >>> try:
    ...     HeadConfig("linear")
    ... except FramelightError as error:
    ...     print(error)
    unknown head 'linear'; known: logistic_regression, mlp, multitask, separate
    """

    exit_code = 1


class InputError(FramelightError):
    """Error in a command or its input (exit status 2)."""

    exit_code = 2


def unknown_name_error(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Create an error for an unknown name that suggests the most similar known names.

    Parameters
    ----------
    kind : str
        Kind of object that the name refers to, such as `kernel`.
    name : str
        The unknown name.
    known : iterable of str
        All names. They are listed if there is no close match; a long list begins with the most similar names.

    Returns
    -------
    InputError
        To be raised.

    Examples
    --------
    >>> str(unknown_name_error("kernel", "medain", ["mean", "median"]))
    "unknown kernel 'medain'; did you mean median or mean?"
    """
    known = sorted(known)
    similar = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(similar)}?" if similar else f"known: {', '.join(known)}"
    if not similar and len(hint) > MAX_LINE:
        known.sort(key=lambda other: -difflib.SequenceMatcher(None, other, name).ratio())
        hint = f"known:\n{wrap_names(known)}"
    return InputError(f"unknown {kind} '{name}'; {hint}")
