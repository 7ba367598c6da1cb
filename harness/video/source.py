"""Open the input of a command as a source of frames."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from backbones.errors import did_you_mean
from harness.data.crop_folders import read_crops
from harness.data.crop_search import CROP_PATTERN
from harness.data.image_decoding import open_image
from harness.data.image_files import is_image_name, list_image_names
from harness.utils.errors import InputError
from harness.utils.text import plural
from harness.video.animation import AnimationSource, animated_format
from harness.video.folder_contents import FolderContents, list_folder
from harness.video.frames import Source, TimeLimitedSource
from harness.video.images import ImageSource
from harness.video.reader import VideoSource

CAMERA = re.compile(r"camera:([0-9]{1,3})")
"""Name of a camera."""
CROP_SIDE = 256
"""Largest side of a face crop in pixels; larger square images are taken for photos."""
LAST_FRAME = 1_000_000
"""Largest frame number (eleven hours at 25 frames/s); larger numbers in file names are taken for dates or the like."""
FRAME_NAME = re.compile(r"(.*?)([0-9]{1,9})")
"""Name of the image of a frame, without its suffix: any text and a number."""
GIF = ".gif"
NAMED_VIDEOS = 3
"""Maximum number of videos that a note names."""
SAMPLED_IMAGES = 8
"""Maximum number of images of a folder whose sizes decide whether it contains crops."""


def open_source(text: str, crops: bool | None = None, seconds: float | None = None) -> Source:
    """Open a video, an image, a folder of images or of face crops, or a camera.

    Parameters
    ----------
    text : str
        Path, or `camera:N`. In a folder with images, videos are not read; `notes` of the source names them.
    crops : bool, optional
        Whether every image or frame is already the crop of a face. By default, a folder of small square images named
        by their frame numbers (`00001.jpg`) is taken for crops, and `notes` of the source says so.
    seconds : float, optional
        Read only the frames before this time; by default all frames.

    Returns
    -------
    Source
        A context, to be read once.

    Raises
    ------
    InputError
        If the input does not exist or cannot be read, if `seconds` is not positive, or if `seconds` is given for an
        input without time, such as images.
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
        raise InputError(f"'{text}' is not the name of a camera; use camera:0 for the first, camera:1 for the next")
    return open_camera(int(match[1]))


def _open_path(text: str, crops: bool | None) -> Source:
    path = Path(text)
    if path.is_dir():
        return _open_folder(path, text, crops)
    if not path.exists():
        raise missing_path_error(path)
    if not path.is_file():
        raise InputError(f"{text}: neither a file nor a folder; for a camera, use camera:0")
    if not (is_image_name(path.name) or path.suffix.lower() == GIF):
        return VideoSource(path, text, bool(crops))
    animated = animated_format(path)
    if animated:
        return VideoSource(path, text, bool(crops)) if animated == "GIF" else AnimationSource(path, text, bool(crops))
    return ImageSource([(1, path)], "crops" if crops else "image", text)


def _open_folder(folder: Path, text: str, crops: bool | None) -> Source:
    contents = list_folder(folder)
    names = contents.images
    if not names:
        raise InputError(
            f"{text}: this folder contains no images{_folder_hint(folder, contents)}; give a video, an image, or the "
            "folder of the images"
        )
    numbered = all((match := CROP_PATTERN.fullmatch(name)) and int(match[1]) <= LAST_FRAME for name in names)
    detected = numbered and crops is None and _look_like_crops([folder / name for name in names])
    kind = "crops" if crops or detected else "images"
    if kind == "crops" and numbered:
        sequence = read_crops(folder.name, folder, os.listdir(folder))  # noqa: PTH208 - names alone
        source = ImageSource([*zip(sequence.frames.tolist(), sequence.images)], kind, text, upright=False)
    else:
        source = ImageSource([(number, folder / name) for number, name in enumerate(names, 1)], kind, text)
    if detected:
        source.notes.append(
            "small square images named by frame numbers were taken as face crops; use --detect to detect faces in them"
        )
    source.notes += contents.notes()
    if contents.videos:
        source.notes.append(
            f"not read: {plural(len(contents.videos), 'video')} next to the images ({_first_names(contents.videos)}); "
            "give videos as inputs, or put them in a folder without images"
        )
    return source


def open_frames(folder: Path, text: str) -> ImageSource:
    """Open the images of a folder as the frames of a video.

    If all names end in different numbers after the same text, such as `frame_0007.png`, these are the numbers of the
    frames. If one of them is 0, all are increased by 1, and `notes` of the source says so. Otherwise, the images are
    numbered from 1 in natural order.

    Parameters
    ----------
    folder : Path
    text : str
        The folder, as the user named it.

    Raises
    ------
    InputError
        If the folder cannot be listed, contains no images, or none of them can be read.
    """
    names = list_folder(folder).images
    if not names:
        raise InputError(f"{text}: this folder contains no images; give a video, or the folder of its frames")
    matches = [FRAME_NAME.fullmatch(Path(name).stem) for name in names]
    numbers = [int(match[2]) for match in matches if match and int(match[2]) <= LAST_FRAME]
    prefixes = {match[1].casefold() for match in matches if match}
    numbered = len(prefixes) == 1 and len(set(numbers)) == len(names)
    if not numbered:
        numbers = list(range(1, len(names) + 1))
    first = min(numbers)
    files = sorted((number + (first == 0), folder / name) for number, name in zip(numbers, names))
    source = ImageSource(files, "images", text)
    if first == 0:
        source.notes.append("its names count frames from 0; the first frame is number 1")
    return source


def _first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED_VIDEOS]) + (", ..." if len(names) > NAMED_VIDEOS else "")


def _look_like_crops(paths: list[Path]) -> bool:
    sampled = paths[:: -(-len(paths) // SAMPLED_IMAGES)]
    sizes = {size for path in sampled if (size := _image_size(path)) is not None}
    return bool(sizes) and all(width == height <= CROP_SIDE for width, height in sizes)


def _image_size(path: Path) -> tuple[int, int] | None:
    try:
        with open_image(path, upright=False) as image:
            return image.size
    except Exception:  # reported when the image is decoded
        return None


def _folder_hint(folder: Path, contents: FolderContents) -> str:
    if contents.videos:
        return f", but videos such as '{contents.videos[0]}'"
    folders = [name for name in contents.folders if list_image_names(folder / name)]
    return f", but folders of images such as '{folders[0]}'" if folders else ""


def missing_path_error(path: Path) -> InputError:
    """Create the error for an input that does not exist, which suggests a similar name."""
    if path.is_symlink():
        return InputError(f"{path}: a broken link to {path.readlink()}; restore that file, or remove the link")
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, names)
    return InputError(f"no such file or folder: {path}" + (f"; {hint}" if hint else ""))
