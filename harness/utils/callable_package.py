"""Packages with the same name as a function of the public API."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """Package that is called like the function of the same name in its module `api`.

    `harness.leaderboard` is both a package and a public function. An import of the package sets the attribute
    `leaderboard` of `harness` to the package, so the package itself has to be callable.
    """

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        """Docstring of the function, for `help`."""
        return self.__wrapped__.__doc__

    @property
    def __wrapped__(self) -> Any:
        """Function that calls are forwarded to."""
        return getattr(import_module(f"{self.__name__}.api"), self.__name__.rpartition(".")[2])

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        return self.__wrapped__(*arguments, **options)


def make_callable(package: str) -> None:
    """Make a package callable; called while the package is imported."""
    sys.modules[package].__class__ = CallablePackage
