"""The inputs that a user names (files, folders, patterns or a camera), and the names of their output folders."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.utils.errors import InputError
from harness.utils.names import folded_name, is_file_name
from harness.video.folder_contents import list_folder, natural_key

CAMERA = "camera:"
WILDCARDS = frozenset("*?[")
RESERVED = ("predict.json", "summary.csv")
"""Files next to the output folders, whose names no output folder may have."""
MAX_NAME_BYTES = 200
"""Maximum length in bytes of the name of an output folder, before a number is appended. It leaves room for the longer
names of temporary folders."""


def expand_inputs(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace patterns by the paths that they match, and folders of videos by their videos.

    A folder with images is one input, even if it also contains videos. Duplicates are left out.

    Parameters
    ----------
    texts : sequence of str
        Paths, patterns such as `videos/*.mp4`, and `camera:N`.

    Returns
    -------
    inputs : list of str
    notes : list of str
        Messages about other files in folders of videos.

    Raises
    ------
    InputError
        If a camera is not the only input.
    """
    if len(texts) > 1 and (cameras := [text for text in texts if text.startswith(CAMERA)]):
        raise InputError(f"{cameras[0]} is read until it ends or Ctrl-C is pressed, so it has to be the only input")
    inputs: dict[str, str] = {}
    notes: list[str] = []
    for text in _expand_patterns(texts):
        for name in [text] if text.startswith(CAMERA) else _expand_folder(text, notes):
            inputs.setdefault(name if text.startswith(CAMERA) else os.path.realpath(name), name)
    return list(inputs.values()), notes


def is_single(texts: Sequence[str], inputs: Sequence[str]) -> bool:
    """Return whether the output folder is for one input only; False for a folder of videos, even with one video."""
    return len(inputs) == 1 and not (len(texts) == 1 and _is_dir(texts[0]) and inputs[0] != texts[0])


def output_names(
    inputs: Iterable[str], previous: Mapping[str, str] | None = None, taken: Iterable[str] = ()
) -> dict[str, str]:
    """Choose the name of the output folder of each input.

    The default is the file name without its suffix. The suffix is added if several inputs have the same name, or if
    the name is reserved. If that does not suffice, the name of the parent folder is added, and then a number.

    Parameters
    ----------
    inputs : iterable of str
    previous : mapping of str to str, optional
        Names that an earlier call chose; the same inputs get the same names again.
    taken : iterable of str
        Names of other folders.

    Examples
    --------
    >>> output_names(["a/talk.mp4", "b/walk.mp4", "c/walk.mov"])
    {'a/talk.mp4': 'talk', 'b/walk.mp4': 'walk.mp4', 'c/walk.mov': 'walk.mov'}
    """
    paths = {text: Path(os.path.abspath(text)) for text in inputs}  # noqa: PTH100 - links keep their names
    names = {text: path.name if _is_dir(path) else path.stem for text, path in paths.items()}
    for longer in (lambda path: path.name, lambda path: f"{path.parent.name}_{path.name}"):
        counts = Counter(map(folded_name, names.values()))
        names = {text: longer(paths[text]) if _is_taken(name, counts) else name for text, name in names.items()}
    return _unique_names(names, previous or {}, taken)


def valid_names(names: Mapping[str, Any]) -> dict[str, str]:
    """Remove the inputs whose output folder has an invalid, reserved or repeated name.

    Examples
    --------
    >>> valid_names({"/a.jpg": "a", "/b.jpg": "../b", "/c.jpg": "A", "/d.jpg": ""})
    {'/a.jpg': 'a'}
    """
    valid: dict[str, str] = {}
    taken = set(RESERVED)
    for path, name in names.items():
        if is_file_name(name) and folded_name(name) not in taken:
            valid[path] = name
            taken.add(folded_name(name))
    return valid


def _expand_patterns(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text.startswith(CAMERA) or not WILDCARDS & set(text) or os.path.exists(text):  # noqa: PTH110 - see _is_dir
            yield text
            continue
        matches = sorted(glob.glob(text), key=natural_key)  # noqa: PTH207 - a pattern may be absolute
        yield from matches or [text]


def _expand_folder(text: str, notes: list[str]) -> Iterator[str]:
    if not _is_dir(text):
        yield text
        return
    try:
        contents = list_folder(Path(text))
    except InputError:  # raised again when this input is opened, so that other inputs are still used
        yield text
        return
    if contents.images or not contents.videos:
        yield text
        return
    notes += [f"{text}: {note}" for note in contents.notes()]
    yield from (str(Path(text, name)) for name in contents.videos)


def _is_dir(path: Path | str) -> bool:
    """Return whether a path is a folder; unlike `Path.is_dir`, return False for an inaccessible or too long path."""
    return os.path.isdir(path)  # noqa: PTH112


def _is_taken(name: str, counts: Counter[str]) -> bool:
    return counts[folded_name(name)] > 1 or folded_name(name) in RESERVED


def _folder_name(name: str) -> str:
    """Shorten a long name, and replace characters that `is_file_name` does not allow."""
    short = name.encode(errors="surrogateescape")[:MAX_NAME_BYTES].decode(errors="ignore").lstrip(".") or "input"
    if is_file_name(short):
        return short
    return "".join(char if char.isprintable() and char not in "/\\:" else "_" for char in short)


def _unique_names(names: Mapping[str, str], previous: Mapping[str, str], others: Iterable[str]) -> dict[str, str]:
    """Append numbers to names that are still taken."""
    chosen = {text: previous[text] for text in names if text in previous}
    taken = {*RESERVED, *map(folded_name, previous.values()), *map(folded_name, others)}
    for text, name in names.items():
        if text in chosen:
            continue
        short = _folder_name(name)
        candidate, number = short, 1
        while folded_name(candidate) in taken:
            number += 1
            candidate = f"{short}-{number}"
        taken.add(folded_name(candidate))
        chosen[text] = candidate
    return {text: chosen[text] for text in names}
