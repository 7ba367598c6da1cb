"""Errors for users, whose messages say what went wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


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
    """Create an error that reports an unknown name and suggests the most similar known names.

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
    from backbones import errors  # imported late, as metrics and smoothing are also used without backbones

    return InputError(str(errors.unknown_name_error(kind, name, known, most=None)))
