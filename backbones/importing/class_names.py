"""Class names of published emotion networks, which weights files do not contain."""

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
"""Names of score columns by their number: 7 or 8 expressions in alphabetical order, alone or followed by valence and
arousal (EmotiEffLib).
"""


def resolve_score_labels(width: int, classes: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """Return the names of score columns.

    Parameters
    ----------
    width : int
        Number of columns.
    classes : sequence of str or None
        The names given by the user; None for the published order of a network with this number of columns.
    path : Path
        The weights file, for the message of an error.

    Returns
    -------
    tuple of str
        One name per column; empty if there is no published order.

    Raises
    ------
    BackboneError
        If the number of given names differs from `width`, or if names are empty, not printable or not distinct.
    """
    if classes is None:
        return PUBLISHED_ORDERS.get(width, ())
    if len(classes) != width:
        raise BackboneError(
            f"{path} has a classifier with {width} columns, but {len(classes)} class names were given",
            "give one class name per column, in column order",
        )
    if len(set(classes)) != len(classes) or not all(name.strip() and name.isprintable() for name in classes):
        raise BackboneError(
            f"the class names {printable(', '.join(classes))} are not all valid and distinct",
            "give one class name per column, in column order",
        )
    return tuple(classes)
