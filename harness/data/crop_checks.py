"""Problems of the crops of videos: names of folders and files that cannot be used, and videos in two folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from harness.data.crop_folders import FRAME_ZERO, video_folder
from harness.data.crop_search import CROP_PATTERN, CropSearch, entries
from harness.data.litter import is_litter
from harness.data.problems import ERROR, WARNING, Problem
from harness.utils.errors import InputError
from harness.utils.names import MAX_NAME_BYTES, folded_name, is_file_name
from harness.utils.text import plural


def find_crop_problems(search: CropSearch, names: Iterable[str]) -> Iterator[Problem]:
    """Yield the problems of all folders of crops.

    Parameters
    ----------
    search : CropSearch
    names : iterable of str
        Names of all sequences.

    Yields
    ------
    Problem
    """
    for name in names:
        if not is_file_name(name):
            message = (
                f"'{name}' cannot be the name of a video: it must be printable, without backslashes and drive letters, "
                f"of at most {MAX_NAME_BYTES} bytes; rename its folder and its annotations"
            )
            yield Problem(ERROR, "video name", message, search.videos.get(name, (search.root,))[0])
    for name in search.videos:
        yield from _folder_problems(search, name)
    yield from find_second_folders(search)


def find_second_folders(search: CropSearch) -> Iterator[Problem]:
    """Yield an error for each video with different crops in a second folder, and a warning for each copied folder."""
    copies: dict[tuple[Path, Path], int] = {}
    for name, (first, *others) in search.videos.items():
        for other in others:
            if (sizes := _sizes(first)) is not None and sizes == _sizes(other):
                key = first.parent, other.parent
                copies[key] = copies.get(key, 0) + 1
                continue
            used, where = first.relative_to(search.root), other.relative_to(search.root)
            message = f"other crops of video '{name}' are in {where}/; those of {used}/ are read, keep one folder"
            yield Problem(ERROR, "two folders", message, first)
    for (used, folder), number in copies.items():
        message = f"{plural(number, 'folder')} with the same crops as in {used.relative_to(search.root)}/; not read"
        yield Problem(WARNING, "not read", message, folder)


def _sizes(folder: Path) -> dict[str, int] | None:
    """Return the file size of each crop in a folder, keyed by file name; None if the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if CROP_PATTERN.fullmatch(entry.name)}
    except OSError:
        return None


def find_misnamed_crops(search: CropSearch, names: Collection[str]) -> Iterator[str]:
    """Yield sentences about videos in `names` whose folder has files but no crop, or differs from the name in case."""
    folders = (search.videos[name][0] for name in search.without_crops if name in names)
    files = [file for folder in folders for file in islice(_other_files(folder), 1)]
    if files:
        yield (
            f"{files[0]}: {plural(len(files), 'video')} without crops, although the folder has files; name the crops "
            "by frame number, such as 00001.jpg"
        )
    other_case = names_in_other_case(search, names)
    for name, other in islice(other_case.items(), 1):
        more = f" (and {plural(len(other_case) - 1, 'more video')} in another case)" if len(other_case) > 1 else ""
        yield f"{search.videos[other][0]}: no folder of crops of video '{name}'; did you mean this one?{more}"


def names_in_other_case(search: CropSearch, names: Collection[str]) -> dict[str, str]:
    """Map each video in `names` without a folder to the folder that differs from its name only by case, if any."""
    unnamed = {folded_name(name): name for name in search.videos if name not in names}
    others = {name: unnamed.get(folded_name(name)) for name in sorted(names) if name not in search.videos}
    return {name: other for name, other in others.items() if other is not None}


def _other_files(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path, is_folder in entries(folder) if not is_folder)


def has_crop_error(search: CropSearch, name: str) -> bool:
    """Return whether the crops of a video exist but cannot be used, see `list_crops`."""
    try:
        _, files = video_folder(search, name)
    except InputError:
        return True
    return 0 in _crop_frames(files).values()


def _folder_problems(search: CropSearch, name: str) -> Iterator[Problem]:
    try:
        folder, names = video_folder(search, name)
    except InputError as error:
        path = search.videos[name][0]
        yield Problem(ERROR, "unreadable", str(error).removeprefix(f"{path}: "), path)
        return
    files = sorted(file for file in names if not is_litter(file))
    frames = _crop_frames(files)
    unmatched = [file for file in files if file not in frames]
    if unmatched:
        message = f"{plural(len(unmatched), 'file')} not named by a frame number, such as 00001.jpg; skipped"
        yield Problem(WARNING, "file name", message, folder / unmatched[0])
    zero = next((file for file, frame in frames.items() if frame == 0), None)
    if zero is not None:
        yield Problem(ERROR, "frame number", f"{FRAME_ZERO}; '{name}' is skipped in this report", folder / zero)
    if len(frames) > len(set(frames.values())):
        yield Problem(WARNING, "file name", "two files of one frame; the first by name is used", folder)


def _crop_frames(files: Iterable[str]) -> dict[str, int]:
    """Return the frame numbers of the files that are named as crops; frame 0 makes the video unreadable."""
    return {file: int(match[1]) for file in files if (match := CROP_PATTERN.fullmatch(file))}
