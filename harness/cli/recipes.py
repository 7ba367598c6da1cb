"""`framelight recipes`."""

from __future__ import annotations

import argparse
from textwrap import fill

from harness.runner import BackboneRecipe, Recipe, find_recipe, recipe_minutes, recipe_names, recipe_summary
from harness.utils.console import FILE_WIDTH, terminal_size
from harness.utils.text import align_columns, format_duration, plural

INDENT = " " * 6


def main(arguments: argparse.Namespace) -> None:
    """Print for each recipe its number of jobs, approximate duration, purpose and requirements."""
    width = min(terminal_size()[0], FILE_WIDTH)
    recipes = {name: find_recipe(name) for name in recipe_names(Recipe)}
    trainings = {name: find_recipe(name, BackboneRecipe) for name in recipe_names(BackboneRecipe)}
    rows = [("framelight run NAME", "jobs", "time")]
    rows += [(f"  {name}", str(_count_jobs(recipe)), _format_time(name)) for name, recipe in recipes.items()]
    rows += [("framelight train-backbone NAME", "", "time")]
    rows += [(f"  {name}", "", _format_time(name)) for name in trainings]
    head, *lines = align_columns(rows)
    print(f"{head}\n")
    for name, recipe in recipes.items():
        print(f"{lines.pop(0)}\n{_describe(name, _recipe_needs(recipe), width)}\n")
    print(f"{lines.pop(0)}\n")
    for name, training in trainings.items():
        print(f"{lines.pop(0)}\n{_describe(name, _backbone_needs(training), width)}\n")
    print("jobs: without baselines")
    print(fill("time: of a first run on two cores, which grows with the data; - not measured", width))


def _describe(name: str, needs: str, width: int) -> str:
    return "\n".join(
        fill(" ".join(text.split()), width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)
        for text in (recipe_summary(name), needs)
    )


def _format_time(name: str) -> str:
    minutes = recipe_minutes(name)
    return "-" if minutes is None else f"~{format_duration(60 * minutes)}"


def _count_jobs(recipe: Recipe) -> int:
    """Count the jobs of all grids, without baselines. If the recipe has a search, count the trials of all its tasks."""
    if recipe.search:
        return recipe.search.trials * len(recipe.tasks)
    return sum(
        len(grid.backbones or recipe.backbones)
        * len(grid.features)
        * len(grid.heads)
        * len(grid.smoothings or (recipe.smoothing,))
        * len(recipe.seeds)
        for grid in recipe.grids
    )


def _recipe_needs(recipe: Recipe) -> str:
    import backbones

    trained = {backbone.name for backbone in recipe.trained}
    available = {*trained, *backbones.names()}
    missing = [name for name in recipe.all_backbones() if name.partition("@")[0] not in available]
    needs = "no data (it renders synthetic videos)" if recipe.synthetic else "--data DIR"
    if missing:
        needs += f", and the imported weights {', '.join(missing)}"
    return f"Needs {needs}." + (f" Trains {plural(len(trained), 'backbone')} first." if trained else "")


def _backbone_needs(recipe: BackboneRecipe) -> str:
    needs = "no data (it renders synthetic images; use --data DIR for yours)" if recipe.stills else "--data DIR"
    return f"Needs {needs}. Trains {recipe.training.backbone}."
