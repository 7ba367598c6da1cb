"""Validation of settings, with errors that name the setting."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from harness.utils.errors import InputError, unknown_name_error


class ValidatedSettings:
    """Base class of settings dataclasses, with methods that check one setting by its name.

    Attributes
    ----------
    _what : str
        Purpose of the settings, for messages.
    """

    _what = "backbone training"

    def _raise_invalid(self, name: str, expected: str) -> None:
        raise InputError(f"{self._what}: {name} must be {expected}, not {getattr(self, name)!r}")

    def _validate_number(self, name: str, least: float, most: float = math.inf, above: bool = False) -> None:
        """Require a finite number of at least `least` (with `above`, more than `least`) and at most `most`."""
        value = getattr(self, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < least or value > most or (above and value == least):
            bounds = f"{'more than' if above else 'at least'} {least:g}"
            self._raise_invalid(name, bounds if most == math.inf else f"{bounds} and at most {most:g}")

    def _validate_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._raise_invalid(name, f"an integer of at least {least}")

    def _validate_fraction(self, name: str) -> None:
        """Require a number from 0 to below 1."""
        self._validate_number(name, 0)
        if getattr(self, name) >= 1:
            self._raise_invalid(name, "from 0 to below 1")

    def _validate_choice(self, name: str, choices: Iterable[Any]) -> None:
        if getattr(self, name) not in choices:
            raise InputError(f"{self._what}: {unknown_name_error(name, str(getattr(self, name)), map(str, choices))}")


def require(condition: bool, message: str) -> None:
    """Raise `InputError` with the message unless the condition holds."""
    if not condition:
        raise InputError(message)


def require_distinct(values: tuple, name: str, where: str) -> None:
    """Raise `InputError` unless there is at least one value and no value occurs twice.

    Parameters
    ----------
    values : tuple
    name, where : str
        Kind of the values, and name of the setting, for the message.
    """
    require(len(values) > 0, f"{where} has no {name}; give at least one")
    require(len(set(values)) == len(values), f"{where} lists the same {name} twice; remove one")
