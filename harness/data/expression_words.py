"""Parse the folder names of expression datasets: expressions, splits and class numbers."""

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
FULL_WORDS = frozenset((*(word for word in WORDS if len(word) > 3), "sad", "joy"))
"""Words of expressions. Codes of two or three letters are left out: they may be names or initials of people."""
MENTIONS = FULL_WORDS.union(ADVERBS)
"""Words that mark a folder name as being about expressions, even in names such as not_happy."""
FILLERS = frozenset(("class", "label", "emotion", "expression", "face", "faces", "image", "images"))
MIN_CODED = 4
"""Folders named by codes, such as AN and SU, count as expressions if there are at least this many expressions."""
SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev", "publictest"),
    "test": ("test", "testing", "privatetest"),
}
"""Names of the folders of each split; FER2013 has a public and a private test split."""
SPLIT_FILLERS = frozenset(("set", "class", "data", "split", "aligned", "cropped", *FILLERS))
NUMBER = re.compile(r"(?:class|label|emotion|expression)?[ _-]?((?=[0-9]{1,3}$)0*(?:10|[0-9]))")


def parse_expression(name: str) -> str | None:
    """Return the expression that a folder is named after; None if the name has any other word that is not in FILLERS.

    Examples
    --------
    >>> [parse_expression(name) for name in ("ANGRY", "3_happy", "class001_neutral", "n000001", "happily surprised")]
    ['Anger', 'Happiness', 'Neutral', None, None]
    """
    return WORDS.get(_expression_word(name))


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


def _expression_word(name: str) -> str:
    """Return the only word of a name that is not a filler; '' if there is none or more than one."""
    words = [word for word in _words(name) if word not in FILLERS]
    return words[0] if len(words) == 1 else ""


def are_expressions(names: Collection[str]) -> bool:
    """Return whether folders are named after expressions.

    They are if at least half of the names are full words and these words mean two or more expressions. Otherwise every
    name must be or mention an expression. Codes such as AN and SU may be initials of people: if most names are codes,
    there must be at least `MIN_CODED` expressions.

    Examples
    --------
    >>> [are_expressions(names) for names in (["AF01", "AF02"], ["an", "su"], ["an", "di", "fe", "su"], ["happy"])]
    [False, False, True, True]
    """
    words = [word for name in names if (word := _expression_word(name)) in FULL_WORDS]
    if len({WORDS[word] for word in words}) >= 2 and 2 * len(words) >= len(names):
        return True
    mentioned = sum(bool(MENTIONS.intersection(_words(name))) for name in names)
    expressions = [expression for name in names if (expression := parse_expression(name))]
    if not all(parse_expression(name) or MENTIONS.intersection(_words(name)) for name in names):
        return False
    return 0 < len(names) <= 2 * mentioned or len(set(expressions)) >= MIN_CODED


def are_numbers(names: Collection[str]) -> bool:
    """Return whether folders are named after the numbers of a few classes."""
    return len(names) >= 2 and all(parse_number(name) is not None for name in names)
