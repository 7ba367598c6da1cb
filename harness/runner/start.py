"""Start a recipe that is given by its name, by a path or as an object, with settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.processors import available_processors
from harness.runner import BackboneRecipe, Recipe, apply_settings, find_recipe
from harness.runner.loader import recipe_path
from harness.utils.errors import InputError
from harness.utils.public_api import as_tuple
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.runner.run import RunResult


def start_recipe(
    recipe: Recipe | Path | str,
    data: Path | str | None,
    store: Store,
    settings: Sequence[str] | str = (),
    jobs: int | None = None,
    force: bool = False,
) -> RunResult:
    """Find a recipe, apply the settings and run it; see `harness.run`.

    Raises
    ------
    InputError
        If the recipe, a setting, the number of jobs or the dataset cannot be used.
    FramelightError
        If the store cannot be written, the tracking server does not answer, a worker process dies, or a search fails.
    """
    from harness.runner.recipe_code import identify_recipe_code
    from harness.runner.run import run

    if isinstance(recipe, BackboneRecipe):
        raise InputError(
            f"'{recipe.name}' trains a backbone; run it with framelight train-backbone, or list its training "
            "in the field `trained` of a Recipe"
        )
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs is {jobs}; at least one is needed")
    code = None
    if not isinstance(recipe, Recipe):
        path = recipe_path(str(recipe))
        recipe = find_recipe(str(recipe))
        code = identify_recipe_code(path)
    recipe = apply_settings(recipe, list(as_tuple(settings)))
    store.require_folder()
    return run(recipe, None if data is None else Path(data), store, jobs or available_processors(), force, code)
