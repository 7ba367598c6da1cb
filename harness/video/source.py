"""What the user names as input becomes a source of frames."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from PIL import Image

from harness.data.affwild2 import CropFolders
from harness.data.affwild2_paths import CROP_PATTERN
from harness.data.image_files import is_image_name, list_image_names
from harness.utils.errors import InputError
from harness.video.frames import Source, TimeLimitedSource
from harness.video.images import ImageSource
from harness.video.reader import VideoSource
from harness.video.video_files import VIDEO_SUFFIXES

CAMERA = re.compile(r"camera:([0-9]{1,3})")
CROP_SIDE = 256
"""Pixels; larger squares are taken as photos."""
LAST_FRAME = 1_000_000
"""Eleven hours of video; names with larger numbers, dates for instance, do not count frames."""
SAMPLED_IMAGES = 8
"""Images of a folder whose sizes tell whether it holds crops."""


def open_source(text: str, crops: bool | None = None, seconds: float | None = None) -> Source:
    """A video file, an image, a folder of images or of face crops, or `camera:N`; a context, read once.

    crops: whether every image is one face already; None looks: a folder of small square images whose names are frame
    numbers (`00001.jpg`) holds crops, and a note says so. seconds: of the input to read, None for all.
    InputError where nothing there can be read, and for `seconds` of what has no time.
    """
    source = _open_camera(text) if text.startswith("camera:") else _open_path(text, crops)
    if seconds is None:
        return source
    try:
        return TimeLimitedSource(source, seconds)
    except BaseException:
        source.__exit__(None, None, None)
        raise


def _open_camera(text: str) -> Source:
    from harness.video.camera import open_camera

    match = CAMERA.fullmatch(text)
    if match is None:
        raise InputError(f"'{text}' names no camera; the first is camera:0, the next camera:1")
    return open_camera(int(match[1]))


def _open_path(text: str, crops: bool | None) -> Source:
    path = Path(text)
    if path.is_dir():
        return _open_folder(path, text, crops)
    if not path.exists():
        raise _missing_path_error(path)
    if not path.is_file():
        raise InputError(f"{text}: neither a file nor a folder; a camera is named camera:0")
    kind = "crops" if crops else "image"
    return ImageSource([(1, path)], kind, text) if is_image_name(path.name) else VideoSource(path, text, bool(crops))


def _open_folder(folder: Path, text: str, crops: bool | None) -> Source:
    names = sorted(list_image_names(folder), key=_natural_key)
    if not names:
        raise InputError(
            f"{text}: this folder holds no image{_folder_hint(folder)}; name a video, an image, or a folder "
            "with the images themselves"
        )
    numbered = all((match := CROP_PATTERN.fullmatch(name)) and int(match[1]) <= LAST_FRAME for name in names)
    looks = numbered and crops is None and _look_like_crops([folder / name for name in names])
    if not (crops or looks):
        return ImageSource(_number_files(folder, names), "images", text)
    if numbered:
        found = CropFolders(folder.parent, (folder.name,))[folder.name]
        source = ImageSource([*zip(found.frames.tolist(), found.images)], "crops", text)
    else:
        source = ImageSource(_number_files(folder, names), "crops", text)
    if looks:
        source.notes.append(
            "small square images named by their frame numbers: taken as face crops; --detect searches faces in them"
        )
    return source


def _number_files(folder: Path, names: list[str]) -> list[tuple[int, Path]]:
    return [(number, folder / name) for number, name in enumerate(names, 1)]


def _look_like_crops(paths: list[Path]) -> bool:
    sizes = set(map(_image_size, paths[:: -(-len(paths) // SAMPLED_IMAGES)])) - {None}
    return bool(sizes) and all(width == height <= CROP_SIDE for width, height in sizes)


def _image_size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # what is broken is told when it is read
        return None


def _natural_key(name: str) -> list[int | str]:
    """`frame10` after `frame9`."""
    return [int(part) if place % 2 else part.casefold() for place, part in enumerate(re.split("([0-9]+)", name))]


def _folder_hint(folder: Path) -> str:
    inside = sorted(folder.iterdir())
    if videos := [path.name for path in inside if path.suffix.lower() in (*VIDEO_SUFFIXES, ".gif")]:
        return f", but videos, '{videos[0]}' among them"
    folders = [path.name for path in inside if path.is_dir() and list_image_names(path)]
    return f", but folders with images, '{folders[0]}' among them" if folders else ""


def _missing_path_error(path: Path) -> InputError:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3)
    return InputError(f"no such file or folder: {path}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
