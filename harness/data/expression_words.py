"""Names of folders as they are passed on with datasets of expressions: expressions, splits and numbers."""

from __future__ import annotations

import re
from collections.abc import Collection

CONTEMPT = "Contempt"
WORDS = {
    word: expression
    for expression, words in (
        ("Neutral", "neutral neutrality normal neu ne"),
        ("Anger", "anger angry ang an"),
        ("Disgust", "disgust disgusted disgusting dis di"),
        ("Fear", "fear fearful afraid scared fea fe af"),
        ("Happiness", "happiness happy happily joy joyful hap ha"),
        ("Sadness", "sadness sad sorrow sa"),
        ("Surprise", "surprise surprised suprise suprised sur su"),
        ("Contempt", "contempt contemptuous con"),
        ("Other", "other others"),
    )
    for word in words.split()
}
ADVERBS = ("happily", "sadly", "angrily", "fearfully", "disgustedly")
MENTIONS = frozenset((*(word for word in WORDS if len(word) > 3), "sad", "joy", *ADVERBS))
"""Words by which a folder has to do with expressions, also if it is not one, such as not_happy or happily_surprised."""
FILLERS = frozenset(("class", "label", "emotion", "expression", "face", "faces", "image", "images"))
SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev", "publictest"),
    "test": ("test", "testing", "privatetest"),
}
"""Names of the folders of each split; FER2013 has a public and a private test split."""
SPLIT_FILLERS = frozenset(("set", "class", "data", "split", "aligned", "cropped", *FILLERS))
NUMBER = re.compile(r"(?:class|label|emotion|expression)?[ _-]?((?=[0-9]{1,3}$)0*(?:10|[0-9]))")


def parse_expression(name: str) -> str | None:
    """Return the expression that a folder is named after, None if there is none or more than one.

    Examples
    --------
    >>> [parse_expression(name) for name in ("ANGRY", "3_happy", "class001_neutral", "n000001", "happily surprised")]
    ['Anger', 'Happiness', 'Neutral', None, None]
    """
    words = [word for word in _words(name) if word not in FILLERS]
    return WORDS.get(words[0]) if len(words) == 1 else None


def parse_split(name: str) -> str | None:
    """Return the split that a folder is named after, or None.

    Examples
    --------
    >>> [parse_split(name) for name in ("Train", "val_class", "Test_Aligned_Faces", "trained")]
    ['train', 'validation', 'test', None]
    """
    words = [word for word in _words(name) if word not in SPLIT_FILLERS]
    return next((split for split, names in SPLITS.items() if len(words) == 1 and words[0] in names), None)


def parse_number(name: str) -> int | None:
    """Return the number of a class that a folder is named after, or None.

    Examples
    --------
    >>> [parse_number(name) for name in ("0", "class007", "n000001", "0001", "1998")]
    [0, 7, None, None, None]
    """
    match = NUMBER.fullmatch(name.lower())
    return None if match is None else int(match[1])


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.lower())


def are_expressions(names: Collection[str]) -> bool:
    """Return whether folders are named after expressions: all of them, or most, which are two or more expressions."""
    expressions = [expression for name in names if (expression := parse_expression(name))]
    if all(parse_expression(name) or MENTIONS.intersection(_words(name)) for name in names):
        return bool(names)
    return len(set(expressions)) >= 2 and 2 * len(expressions) >= len(names)


def are_numbers(names: Collection[str]) -> bool:
    """Return whether folders are named after the numbers of a few classes."""
    return len(names) >= 2 and all(parse_number(name) is not None for name in names)
