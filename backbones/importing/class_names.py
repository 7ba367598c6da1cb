"""Class names of published emotion networks, which weights files do not contain, and synonyms of class names."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path

from backbones.errors import BackboneError, printable
from backbones.importing.options import NONE, ImportOptions
from backbones.spec import AFFECTNET, canonical_class

logger = logging.getLogger(__name__)

SIMILARITY = 0.75
"""Smallest similarity, from 0 to 1, at which the user is asked whether a name is a misspelled expression."""
_KNOWN_NAMES = tuple(name.lower() for name in AFFECTNET)
SEVEN_EXPRESSIONS = tuple(name for name in AFFECTNET if name != "Contempt")
VALENCE_AROUSAL = ("Valence", "Arousal")
PUBLISHED_ORDERS = {
    len(order): order
    for order in (SEVEN_EXPRESSIONS, AFFECTNET, SEVEN_EXPRESSIONS + VALENCE_AROUSAL, AFFECTNET + VALENCE_AROUSAL)
}
"""Names of the score columns, by number of columns: 7 or 8 expressions in alphabetical order, alone or followed by
valence and arousal (EmotiEffLib).
"""


def resolve_score_labels(
    width: int, options: ImportOptions, path: Path, stated: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the names of score columns.

    Parameters
    ----------
    width : int
        Number of columns.
    options : ImportOptions
        The option `classes` gives the names; synonyms such as happy are replaced. With `like="hsemotion"`, 7 to 10
        columns get the published names by default.
    path : Path
        The weights file, for the message of an error.
    stated : sequence of str, optional
        Names that the file contains, used if the user gives none; empty if it leaves the columns unnamed.

    Returns
    -------
    tuple of str
        One name per column; empty if the columns have no names, such as those of identities.

    Raises
    ------
    BackboneError
        If no names are given although published emotion networks have this number of columns; if the number of names
        differs from `width`; or if names are empty, not printable or not distinct.
    """
    classes = stated if options.classes is None else options.classes
    if classes is None and width in PUBLISHED_ORDERS:
        if options.like == "hsemotion":
            return PUBLISHED_ORDERS[width]
        raise BackboneError(
            f"{path} does not name its {width} scores, and no order is assumed",
            "give the names in column order: --classes neutral,happy,...; --classes none leaves them unnamed, --scores "
            f"none leaves them out, and --like hsemotion names them {', '.join(PUBLISHED_ORDERS[width])}",
        )
    if not classes or tuple(classes) == (NONE,):
        return ()
    if len(classes) != width:
        raise BackboneError(
            f"{path} has a classifier with {width} columns, but {len(classes)} class names were given",
            "give one class name per column, in column order",
        )
    names = tuple(map(canonical_class, classes))
    if len(set(names)) != len(names) or not all(name.strip() and name.isprintable() for name in names):
        raise BackboneError(
            f"the class names {printable(', '.join(classes))} are not all valid and distinct",
            "give one class name per column, in column order",
        )
    for name in names:
        similar = difflib.get_close_matches(name.lower(), _KNOWN_NAMES, 1, SIMILARITY)
        if similar and name.lower() not in similar:
            logger.warning(f"the class {printable(name)} is not a known expression; did you mean {similar[0]}?")
    return names
