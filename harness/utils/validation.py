"""Settings that refuse what they cannot mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from harness.utils.errors import InputError, unknown_name_error


class ValidatedSettings:
    """Checks that name the setting they refuse."""

    _what = "backbone training"

    def _raise_invalid(self, name: str, want: str) -> None:
        raise InputError(f"{self._what}: {name} must be {want}, not {getattr(self, name)!r}")

    def _validate_number(self, name: str, least: float, most: float = math.inf, above: bool = False) -> None:
        """A finite number of at least `least` (more than it with `above`) and at most `most`."""
        value = getattr(self, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < least or value > most or (above and value == least):
            bounds = f"{'more than' if above else 'at least'} {least:g}"
            self._raise_invalid(name, bounds if most == math.inf else f"{bounds} and at most {most:g}")

    def _validate_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._raise_invalid(name, f"a whole number of at least {least}")

    def _validate_fraction(self, name: str) -> None:
        """A share of 1 that leaves something."""
        self._validate_number(name, 0)
        if getattr(self, name) >= 1:
            self._raise_invalid(name, "a share, from 0 to below 1")

    def _validate_choice(self, name: str, known: Iterable[Any]) -> None:
        if getattr(self, name) not in known:
            raise InputError(f"{self._what}: {unknown_name_error(name, str(getattr(self, name)), map(str, known))}")


def require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def require_distinct(values: tuple, name: str, where: str) -> None:
    require(len(values) > 0, f"{where} has no {name}; name at least one")
    require(len(set(values)) == len(values), f"{where} lists the same {name} twice")
