"""A recipe's name or file becomes a Recipe."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
import traceback
from importlib import import_module
from pathlib import Path

from harness.errors import InputError, unknown
from harness.recipes.recipe import Recipe


def recipe_names() -> list[str]:
    import experiments

    return sorted(m.name for m in pkgutil.iter_modules(experiments.__path__) if not m.name.startswith("_"))


def find_recipe(name: str) -> Recipe:
    """The recipe of that name in `experiments`, or `recipe` of the Python file at that path."""
    if name.endswith(".py") or "/" in name:
        return _from_file(Path(name))
    if name not in recipe_names():
        raise unknown("recipe", name, recipe_names())
    return import_module(f"experiments.{name}").recipe


def _from_file(path: Path) -> Recipe:
    if path.is_dir() or (path.exists() and path.suffix != ".py"):
        raise InputError(f"{path} is not a recipe; a recipe is a Python file (.py) with `recipe = Recipe(...)`, "
                         f"or one of {', '.join(recipe_names())}")
    if not path.is_file():
        raise InputError(f"no such recipe file: {path}; name one of {', '.join(recipe_names())} or a Python file")
    spec = importlib.util.spec_from_file_location(f"framelight_recipe_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = lines[-1] if lines else getattr(error, "lineno", None) or 1
        raise InputError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise InputError(f"{path}:1: no `recipe = Recipe(...)` at the top level; see experiments/quickstart.py")
    return recipe
