"""Load recipes by name or from a Python file."""

from __future__ import annotations

import importlib.util
import logging
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.recipe import Recipe
from harness.tracking.environment import PROJECT_ROOT
from harness.utils.errors import InputError, unknown_name_error

logger = logging.getLogger(__name__)

EXPERIMENTS = PROJECT_ROOT / "experiments"
"""Folder of the recipes. They are found by this path, as a user may have another package called `experiments`."""
_own_modules: dict[str, ModuleType] = {}
"""Modules of `EXPERIMENTS` by name, kept while `experiments` refers to a user's package."""

AnyRecipe = TypeVar("AnyRecipe", Recipe, BackboneRecipe)


@dataclass(frozen=True)
class Kind:
    """Description of a type of recipe.

    Attributes
    ----------
    command : str
        Command that runs recipes of this type.
    does : str
        Description of the command.
    example : str
        Name of a recipe that serves as an example.
    """

    command: str
    does: str
    example: str


KINDS: dict[type, Kind] = {
    Recipe: Kind("run", "compares backbones, features and heads", "quickstart"),
    BackboneRecipe: Kind("train-backbone", "trains a backbone", "light_both"),
}


def recipe_names(kind: type | None = None) -> list[str]:
    """Return the names of the recipes in `experiments`, of one type or of all types."""
    names = sorted(m.name for m in pkgutil.iter_modules([str(EXPERIMENTS)]) if not m.name.startswith("_"))
    return [name for name in names if kind is None or isinstance(_import_recipe(name), kind)]


def recipe_minutes(name: str) -> float | None:
    """Return roughly how many minutes a recipe of `experiments` takes; None if it was not measured."""
    return _import_own("_durations").MINUTES.get(name)


def recipe_summary(name: str) -> str:
    """Return the first paragraph of the docstring of a recipe of `experiments`."""
    return (_import_own(name).__doc__ or "").strip().split("\n\n")[0]


def find_recipe(
    name: str,
    kind: type[AnyRecipe] = Recipe,  # type: ignore[assignment]  # mypy has no defaults for type variables
) -> AnyRecipe:
    """Load a recipe.

    Parameters
    ----------
    name : str
        Name of a recipe in `experiments`, or path of a Python file with a variable `recipe`.
    kind : type
        Expected type: `Recipe` or `BackboneRecipe`.

    Returns
    -------
    Recipe or BackboneRecipe
        The recipe.

    Raises
    ------
    InputError
        If there is no such recipe, or its file cannot be imported. Also if the recipe has the other type; the message
        then names the command to use.

    Examples
    --------
    >>> find_recipe("quickstart").name
    'quickstart'
    """
    if name.endswith(".py") or "/" in name:
        recipe = _load_recipe_file(Path(name), kind)
    elif name in recipe_names():
        recipe = _import_recipe(name)
    else:
        raise unknown_name_error("recipe", name, recipe_names())
    if not isinstance(recipe, kind):
        actual = KINDS[type(recipe)]
        raise InputError(
            f"recipe '{name}' {actual.does} and cannot be used with `framelight {KINDS[kind].command}`; "
            f"use: framelight {actual.command} {name}"
        )
    return recipe


def recipe_path(name: str) -> Path:
    """Return the file of a recipe that `find_recipe` loads."""
    return Path(name) if name.endswith(".py") or "/" in name else EXPERIMENTS / f"{name}.py"


def _import_recipe(name: str) -> Recipe | BackboneRecipe:
    return _import_own(name).recipe


def _import_own(name: str) -> Any:
    """Import a module of Framelight's `experiments`, even if a user's package has that name."""
    with _own_experiments():
        return import_module(f"experiments.{name}")


@contextmanager
def _own_experiments() -> Iterator[None]:
    """Make `experiments` refer to Framelight's package in a context; restore the user's modules afterwards."""
    if _is_own_experiments():
        yield
        return
    theirs = _pop_experiments()
    sys.modules.update(_own_modules)
    sys.path.insert(0, str(PROJECT_ROOT))
    try:
        yield
    finally:
        sys.path.remove(str(PROJECT_ROOT))
        _own_modules.update(_pop_experiments())
        sys.modules.update(theirs)


def _is_own_experiments() -> bool:
    """Return whether `import experiments` imports Framelight's package."""
    try:
        spec = importlib.util.find_spec("experiments")
    except ValueError:  # a module without a spec, such as one created by hand
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).parent.resolve() == EXPERIMENTS


def _pop_experiments() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "experiments"]
    return {name: sys.modules.pop(name) for name in names}


def _load_recipe_file(path: Path, kind: type) -> Any:
    assignment, names = f"`recipe = {kind.__name__}(...)`", ", ".join(recipe_names(kind))
    if path.is_dir() or (path.exists() and path.suffix != ".py"):
        raise InputError(f"{path} is not a recipe; use a Python file (.py) with {assignment}, or one of {names}")
    if not path.is_file():
        raise InputError(f"no such recipe file: {path}; use one of {names}, or a Python file")
    recipe = getattr(_import_file(path), "recipe", None)
    if not isinstance(recipe, tuple(KINDS)):
        raise InputError(f"{path}:1: no {assignment} at the top level; see experiments/{KINDS[kind].example}.py")
    return recipe


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"framelight_recipe_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with _log_warnings():
            spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = lines[-1] if lines else getattr(error, "lineno", None) or 1
        raise InputError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    return module


@contextmanager
def _log_warnings() -> Iterator[None]:
    """Log the warnings of a recipe file, including deprecation warnings of Framelight, which Python hides."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("default", "harness", DeprecationWarning)
        try:
            yield
        finally:
            for warning in caught:
                logger.warning(f"{warning.filename}:{warning.lineno}: {warning.message}")
