"""`framelight recipes`."""

from __future__ import annotations

import argparse
from importlib import import_module
from textwrap import wrap

from harness.runner import BackboneRecipe, Recipe, find_recipe, recipe_names
from harness.utils.text import plural

WIDTH = 80


def main(arguments: argparse.Namespace) -> None:
    """Print each recipe with its command, summary, its required data and the number of its jobs."""
    print("framelight run NAME\n")
    for name in recipe_names(Recipe):
        print(_format_recipe(name, find_recipe(name)), end="\n\n")
    print("framelight train-backbone NAME\n")
    for name in recipe_names(BackboneRecipe):
        print(_format_recipe(name, find_recipe(name, BackboneRecipe)), end="\n\n")


def _format_recipe(name: str, recipe: Recipe | BackboneRecipe) -> str:
    summary = (import_module(f"experiments.{name}").__doc__ or "").strip().split("\n\n")[0]
    facts = _recipe_facts(recipe) if isinstance(recipe, Recipe) else _backbone_facts(recipe)
    lines = wrap(" ".join(summary.split()), WIDTH, initial_indent="      ", subsequent_indent="      ")
    lines += wrap(facts, WIDTH, initial_indent="      ", subsequent_indent="      ")
    return "\n".join([f"  {name}", *lines])


def _recipe_facts(recipe: Recipe) -> str:
    import backbones

    jobs = 0
    for grid in recipe.grids:
        names = grid.backbones or recipe.backbones
        axes = (names, grid.features, grid.heads, grid.smoothings or (recipe.smoothing,), recipe.seeds)
        count = 1
        for axis in axes:
            count *= len(axis)
        jobs += count
    trained = {backbone.name for backbone in recipe.trained}
    available = {*trained, *backbones.names()}
    missing = [name for name in recipe.all_backbones() if name.partition("@")[0] not in available]
    needs = "no data (it renders synthetic videos)" if recipe.synthetic else "--data DIR"
    if missing:
        needs += f", and the imported weights {', '.join(missing)}"
    work = f"{recipe.search.trials} trials per grid" if recipe.search else f"{jobs} jobs"
    first = f"Trains {plural(len(trained), 'backbone')} first. " if trained else ""
    return f"Needs {needs}. {first}{work[0].upper()}{work[1:]} and the baselines."


def _backbone_facts(recipe: BackboneRecipe) -> str:
    needs = "no data (it renders synthetic images; use --data DIR for yours)" if recipe.stills else "--data DIR"
    return f"Needs {needs}. Trains {recipe.training.backbone}."
