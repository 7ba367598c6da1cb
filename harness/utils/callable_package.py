"""Packages that share their name with a function of the public API."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package that is called as the function of its name in its module `api`.

    `harness.leaderboard` is the package to the import system, which puts it in the place of any function of that name.
    """

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        """That of the function, for `help`."""
        return self.__wrapped__.__doc__

    @property
    def __wrapped__(self) -> Any:
        return getattr(import_module(f"{self.__name__}.api"), self.__name__.rpartition(".")[2])

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.__wrapped__(*arguments, **options)


def make_callable(package: str) -> None:
    """Make the package of that name, which is being imported, callable."""
    sys.modules[package].__class__ = CallablePackage
