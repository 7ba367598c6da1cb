"""`framelight train-backbone`."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

from harness.cli.output import print_text
from harness.runner import BackboneRecipe, apply_settings, find_recipe
from harness.utils.escaping import escape_text
from harness.utils.text import format_duration

logger = logging.getLogger(__name__)

SELECTION_NOTES = {
    "validation": "the validation split, on which it is also scored (as published), so the scores are optimistic"
}
"""Values of `selection` in a card that need a warning, with the text to print."""


def main(arguments: argparse.Namespace) -> None:
    """Train a backbone and print its scores."""
    recipe = apply_settings(find_recipe(arguments.recipe, BackboneRecipe), arguments.settings)
    arguments.store.require_folder()
    import backbones
    from harness.runner.backbone_training import train_backbone
    from harness.tracking import open_tracker
    from harness.training import rank

    start, is_first = time.monotonic(), rank.is_rank_zero(recipe.hardware.trainer_arguments(recipe.training.precision))
    tracker = open_tracker(arguments.store) if is_first else None
    outcome = train_backbone(recipe, arguments.data, arguments.store, tracker, arguments.force)
    if not is_first:
        return
    print_text(_summary(backbones.read_card(outcome.folder), outcome.folder))
    logger.info(
        "the backbone was trained already; use --force to train it again"
        if outcome.cached
        else f"trained in {format_duration(time.monotonic() - start)}"
    )
    if outcome.lost:
        logger.warning(f"{outcome.lost}; the backbone is complete in {outcome.folder}")


def _summary(card: dict[str, Any], folder: Path) -> str:
    """Format the architecture, the training data, the scores and the use of a backbone."""
    name = _short_name(card, folder)
    classes = card["classes"]
    shown = {
        "backbone": f"{name}: {card['architecture']} from {card['parent']}",
        "entry": str(folder),
        "trained on": f"{card['data']['name']}, {card['stills']:,} images",
        "scores": ", ".join(classes) if len(classes) <= 24 else f"{len(classes):,} identities",
        "selected on": SELECTION_NOTES.get(card["selection"], card["selection"]),
        **{figure.replace("_", " "): _format_number(value) for figure, value in card["metrics"].items()},
        "weights": f"{card['weights_hash'][:12]}, {card['size_mb']} MB, {card['licence']}",
        "use it": f"framelight run RECIPE --data DIR --set backbones={name}",
    }
    width = max(map(len, shown))
    return "\n".join(escape_text(f"{key:<{width}}  {value}") for key, value in shown.items())


def _short_name(card: dict[str, Any], folder: Path) -> str:
    """Return the name in the card, or the folder name of the entry if the name does not identify the entry."""
    import backbones

    try:
        info = backbones.get_info(card["name"], folder.parent)
    except backbones.BackboneError:
        return folder.name
    return card["name"] if info.weights_hash == card["weights_hash"] else folder.name


def _format_number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) > 1 else f"{value:z.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
