"""Settings that refuse what they cannot mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from harness.utils.errors import InputError, unknown_name_error


class Checked:
    """Checks that name the setting they refuse."""

    _what = "backbone training"

    def _refuse(self, name: str, want: str) -> None:
        raise InputError(f"{self._what}: {name} must be {want}, not {getattr(self, name)!r}")

    def _number(self, name: str, least: float, most: float = math.inf, above: bool = False) -> None:
        """A finite number of at least `least` (more than it with `above`) and at most `most`."""
        value = getattr(self, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < least or value > most or above and value == least:
            bounds = f"{'more than' if above else 'at least'} {least:g}"
            self._refuse(name, bounds if most == math.inf else f"{bounds} and at most {most:g}")

    def _whole(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._refuse(name, f"a whole number of at least {least}")

    def _share(self, name: str) -> None:
        """A share of 1 that leaves something."""
        self._number(name, 0)
        if getattr(self, name) >= 1:
            self._refuse(name, "a share, from 0 to below 1")

    def _one_of(self, name: str, known: Iterable[Any]) -> None:
        if getattr(self, name) not in known:
            raise InputError(f"{self._what}: {unknown_name_error(name, str(getattr(self, name)), map(str, known))}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def _require_distinct(values: tuple, name: str, where: str) -> None:
    _require(len(values) > 0, f"{where} has no {name}; name at least one")
    _require(len(set(values)) == len(values), f"{where} lists the same {name} twice")
