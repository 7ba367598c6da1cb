"""What the columns of published emotion networks mean; a file of weights does not say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backbones.errors import BackboneError, printable
from backbones.spec import AFFECTNET

SEVEN_EXPRESSIONS = tuple(name for name in AFFECTNET if name != "Contempt")
VALENCE_AROUSAL = ("Valence", "Arousal")
PUBLISHED_ORDERS = {
    len(order): order
    for order in (SEVEN_EXPRESSIONS, AFFECTNET, SEVEN_EXPRESSIONS + VALENCE_AROUSAL, AFFECTNET + VALENCE_AROUSAL)
}
"""By the number of columns: 7 or 8 expressions in alphabetical order, then valence and arousal (EmotiEffLib)."""


def resolve_score_labels(width: int, classes: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """Names of `width` score columns: those given, else the published ones; () where there are none."""
    if classes is None:
        return PUBLISHED_ORDERS.get(width, ())
    if len(classes) != width:
        raise BackboneError(
            f"{path} has a classifier of {width} columns, and {len(classes)} classes were named",
            "name one class for each column, in the order of the columns",
        )
    if len(set(classes)) != len(classes) or not all(name.strip() and name.isprintable() for name in classes):
        raise BackboneError(
            f"the classes {printable(', '.join(classes))} are not all different names",
            "name one class for each column, in the order of the columns",
        )
    return tuple(classes)
