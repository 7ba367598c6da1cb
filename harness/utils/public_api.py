"""Helpers of the functions that `harness` exports."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.process_environment import prepare_process

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def framelight_errors(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function to call `prepare_process` first and to raise errors of `backbones` as FramelightError.

    `backbones` does not import `harness`, so its errors have a separate base class. Errors about wrong input are raised
    as InputError.
    """

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        prepare_process()
        from backbones.errors import BackboneError

        try:
            return function(*args, **kwargs)
        except BackboneError as error:
            raise (InputError if error.exit_code == InputError.exit_code else FramelightError)(str(error)) from error

    return wrapper


def require_choice(parameter: str, value: str, choices: Iterable[str]) -> None:
    """Raise InputError for a value that is none of the choices."""
    if value not in choices:
        raise unknown_name_error(parameter, value, choices)


def as_tuple(values: Iterable[str] | str) -> tuple[str, ...]:
    """Return the values as a tuple; a string is a single value."""
    return (values,) if isinstance(values, str) else tuple(values)
