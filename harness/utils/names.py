"""Checks and conversions of names that come from records, servers, recipes and files and become parts of paths."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

from backbones.temp_names import cut_to_bytes
from harness.utils.errors import InputError
from harness.utils.escaping import escape_text

ID_RULE = "letters, digits and . _ -, at most 128 characters, beginning with a letter or digit"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DRIVE = re.compile(r"[A-Za-z]:")
_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""How Python represents the bytes of a name that are not UTF-8."""
MAX_NAME_BYTES = 255
"""Maximum length of a file name on common file systems, in bytes."""


def is_id(value: Any) -> bool:
    """Return whether a value has the form of an id of a job, a run or a store entry, which can be part of a path.

    Examples
    --------
    >>> is_id("0123456789ab-s0"), is_id("../x"), is_id("a b"), is_id(3)
    (True, False, False, False)
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def recipe_argument(recipe: str) -> str:
    """Return the name of a recipe for a command that a message suggests, or `RECIPE` if it is not an id.

    Examples
    --------
    >>> recipe_argument("quickstart"), recipe_argument("x; touch y"), recipe_argument("")
    ('quickstart', 'RECIPE', 'RECIPE')
    """
    return recipe if is_id(recipe) else "RECIPE"


def is_file_name(value: Any) -> bool:
    """Return whether a value can name one file or folder that is not hidden; letters of any language are allowed.

    Examples
    --------
    >>> is_file_name("10-60-1280x720_right"), is_file_name("a/b"), is_file_name(".."), is_file_name("C:b")
    (True, False, False, False)
    """
    if not isinstance(value, str) or value == "" or value.startswith("."):
        return False
    if set(value) & {"/", "\\"} or _DRIVE.match(value) or not _UNDECODABLE.sub("", value).isprintable():
        return False
    try:
        return len(name_bytes(value)) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False


def canonical_name(name: str) -> str:
    r"""Normalize a name, so that names of files can be compared with names in lists.

    Parameters
    ----------
    name : str
        Name of a file or folder as Python returns it, or a name in a list.

    Returns
    -------
    str
        Name with composed characters (NFC), since macOS and some archives decompose them. It can be part of a path in
        any locale.

    Examples
    --------
    >>> canonical_name("e\u0301") == "\u00e9"
    True
    """
    if name.isascii():
        return name
    composed = unicodedata.normalize("NFC", _decode(name))
    return os.fsdecode(composed.encode("utf-8", "surrogateescape"))


def folded_name(name: str) -> str:
    r"""Return a key that is equal for names that some file systems, or human readers, do not distinguish.

    Examples
    --------
    >>> folded_name("E\u0301") == folded_name("\u00e9")
    True
    """
    return canonical_name(name).casefold()


def path_name(name: str) -> str:
    r"""Convert a name in a list to the form that Python uses for names of files in the current locale.

    Examples
    --------
    >>> path_name("e\u0301") == "e\u0301"
    True
    """
    return name if name.isascii() else os.fsdecode(name_bytes(name))


def storable_name(name: str) -> str:
    r"""Return a name for databases and records, in which bytes that are not UTF-8 are escaped.

    Examples
    --------
    >>> print(storable_name("fr\udce9d\udce9ric"), storable_name("frédéric"))
    fr\xe9d\xe9ric frédéric
    """
    return _UNDECODABLE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", _decode(name))


def name_bytes(name: str) -> bytes:
    """Encode a name in UTF-8 in any locale; bytes of a file name that are not UTF-8 are kept."""
    return _decode(name).encode("utf-8", "surrogateescape")


def _decode(name: str) -> str:
    """Decode the name of a file as UTF-8 in any locale; bytes that are not UTF-8 become lone surrogates."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a name from a list, in a locale that is not UTF-8
        return name


def bounded_name(name: str, prefix: str = "", suffix: str = "") -> str:
    """Put text before and after a file name; a name that gets too long is cut.

    Parameters
    ----------
    name : str
        The name, in any language.
    prefix, suffix : str, default=""
        Text to add.

    Returns
    -------
    str
        Name of at most `MAX_NAME_BYTES` bytes; if it was cut, a hash of `name` replaces the part that was cut off.

    Examples
    --------
    >>> bounded_name("video1", suffix=".txt")
    'video1.txt'
    >>> len(bounded_name("\u6c38" * 85, suffix=".txt").encode())
    254
    """
    full = f"{prefix}{name}{suffix}"
    if len(os.fsencode(full)) <= MAX_NAME_BYTES:
        return full
    end = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}{suffix}"
    return prefix + cut_to_bytes(name, MAX_NAME_BYTES - len(os.fsencode(prefix + end))) + end


def path_in(folder: Path, name: str, what: str = "entry") -> Path:
    """Return the path of an entry of a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    name : str
        Id of the entry, see `is_id`.
    what : str, default="entry"
        Kind of entry with its article, such as `a job`, for the message.

    Returns
    -------
    Path
        ``folder / name``.

    Raises
    ------
    InputError
        If the name is not an id; the path could then be outside the folder.
    """
    if not is_id(name):
        raise InputError(f"'{escape_text(str(name))[:80]}' is not the name of {what} in {folder}: use {ID_RULE}")
    return Path(folder) / name
