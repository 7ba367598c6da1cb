"""Find settings that change nothing in a recipe, such as the width of the hidden layer of linear heads."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.metrics.tasks import TASKS
from harness.runner.recipe import Recipe

Path = tuple[str, ...]
OUTPUTS_OF_LOSS = {"label_smoothing": ("expr",), "va_loss": ("va",), "class_weights": ("expr", "au")}
"""Settings of heads that only some outputs use in their loss, with the names of these outputs."""
SEARCHED = ("hidden", "learning_rate", "l2", "epochs")
"""Settings of heads that a search samples."""


def ineffective_settings(recipe: Recipe, paths: Collection[Path]) -> Iterator[tuple[Path, str]]:
    """Find settings that have no effect on the results of a recipe, whatever the data.

    Parameters
    ----------
    recipe : Recipe
        The recipe with all its settings.
    paths : collection of tuples of str
        Fields that were set, such as ``("grids", "heads", "hidden")``.

    Yields
    ------
    path : tuple of str
        One of `paths`.
    reason : str
        Why it has no effect.

    Examples
    --------
    >>> from harness import Grid, HeadConfig
    >>> recipe = Recipe("mine", (Grid("expr", heads=(HeadConfig("logistic_regression"),)),), ("tiny_resnet@random",))
    >>> list(ineffective_settings(recipe, [("grids", "heads", "hidden"), ("thresholds",)]))
    [(('grids', 'heads', 'hidden'), 'no head has a hidden layer'), (('thresholds',), 'no task has action units')]
    """
    for path in paths:
        reason = _reason(recipe, path)
        if reason:
            yield path, reason


def _reason(recipe: Recipe, path: Path) -> str:
    outputs = {name for task in recipe.tasks for name in TASKS[task].slices()}
    if path[:2] == ("grids", "heads") and len(path) == 3:
        return _reason_of_head(recipe, path[2], outputs)
    if path in (("thresholds",), ("search", "thresholds")) and "au" not in outputs:
        return "no task has action units"
    if path == ("backbones",) and all(grid.backbones for grid in recipe.grids):
        return "every grid lists its own backbones; set grids.backbones"
    if path[0] == "trained" and not {each.name for each in recipe.trained} & set(recipe.all_backbones()):
        return "no grid uses a backbone that the recipe trains"
    if path in (("protocol", "fraction"), ("protocol", "refit")) and recipe.protocol.folds:
        return "with protocol.folds, every training video is held out once, and models are refit"
    if path == ("smoothing", "kernels") and recipe.smoothing.largest == 0:
        return "no radius is larger than 0, so nothing is smoothed; set largest"
    return ""


def _reason_of_head(recipe: Recipe, field: str, outputs: Collection[str]) -> str:
    heads = [head for grid in recipe.grids for head in grid.heads]
    if recipe.search is not None and field in SEARCHED:
        return f"the search chooses it; set search.{field}"
    if field == "hidden" and all(head.kind == "logistic_regression" for head in heads):
        return "no head has a hidden layer"
    if field in OUTPUTS_OF_LOSS and not set(OUTPUTS_OF_LOSS[field]) & set(outputs):
        return f"it is used for {' and '.join(OUTPUTS_OF_LOSS[field])} only"
    if field == "task_weights" and not any(
        len(TASKS[grid.task].outputs) > 1 and head.kind != "separate" for grid in recipe.grids for head in grid.heads
    ):
        return "no head is trained for several outputs together"
    return ""
