"""Parse rows that name images as `video/frame.jpg`, and test lists of images or videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.annotation_formats import IMAGE_PATTERN, read_text, split_cells
from harness.utils.errors import InputError
from harness.utils.escaping import escape_text
from harness.utils.names import canonical_name, is_file_name, path_name


@dataclass(frozen=True)
class ImageRows:
    """Rows that name an image as `video/frame.jpg`.

    Attributes
    ----------
    videos : tuple of str
        Sorted names of the videos as written. If a name is written in several Unicode forms, only the first is here.
    index : int32 array of shape (N,)
        Index of each row's video in `videos`.
    frame : int32 array of shape (N,)
        Frame number of each row.
    valid : bool
        Whether all names of videos can be names of folders.
    """

    videos: tuple[str, ...]
    index: np.ndarray
    frame: np.ndarray
    valid: bool = True


def read_image_rows(path: Path) -> ImageRows:
    """Read the images named by an MTL file or by a test list of images, without parsing labels.

    Raises
    ------
    InputError
        If the file cannot be read, lists no image, or has a line that does not start with an image of a video.
    """
    lines = read_text(path).rstrip().split("\n")[1:]
    if not lines:
        raise InputError(f"{path}: no image is listed; each line after the header must start with video/00001.jpg")
    rows = parse_image_rows("\n".join(lines))
    if len(rows.frame) != len(lines):
        number = next(i for i, line in enumerate(lines, start=2) if not IMAGE_PATTERN.match(line))
        raise InputError(
            f"{path}:{number}: '{lines[number - 2][:60]}' does not start with an image, such as video1/00001.jpg"
        )
    if not rows.valid:
        videos = [line.strip().rpartition("/")[0] for line in lines]
        number = next(i for i, video in enumerate(videos) if not is_file_name(video))
        raise _name_error(path, number + 2, videos[number])
    return rows


def _name_error(path: Path, number: int, name: str) -> InputError:
    return InputError(
        f"{path}:{number}: '{escape_text(name)[:80]}' is not the name of a video; write the name of its folder of "
        "crops, without a path"
    )


def read_test_list(path: Path) -> tuple[str, ...]:
    """Read the video names of a test list without a header: as written, in file order, without duplicates."""
    lines = [line.strip() for line in read_text(path).split("\n")]
    first: dict[str, str] = {}
    for line in filter(None, lines):
        first.setdefault(canonical_name(line), path_name(line))
    names = tuple(first.values())
    if not names:
        raise InputError(f"{path}: the test list is empty; put one video name on each line")
    wrong = next((name for name in names if not is_file_name(name)), None)
    if wrong is not None:
        raise _name_error(path, list(map(path_name, lines)).index(wrong) + 1, wrong)
    return names


def has_image_column(path: Path) -> bool:
    """Return whether a test list has a header and names images: the MTL list, and lists since the fifth challenge."""
    return split_cells(read_text(path).partition("\n")[0])[0].lower() in ("image", "image_location")


def read_test_videos(path: Path) -> tuple[str, ...]:
    """Read the videos of a test list, without duplicates: in file order, or sorted if the list names images."""
    return read_image_rows(path).videos if has_image_column(path) else read_test_list(path)


def parse_image_rows(body: str) -> ImageRows:
    """Parse the images at the starts of lines; lines that do not start with an image are left out."""
    matches = IMAGE_PATTERN.findall(body)
    videos, frames = zip(*matches) if matches else ((), ())
    written, index = np.unique(np.array(videos, dtype=np.str_), return_inverse=True)
    first: dict[str, str] = {}
    forms = [first.setdefault(canonical_name(name), path_name(name)) for name in written.tolist()]
    names, number = np.unique(np.array(forms, np.str_), return_inverse=True)
    frame = np.array(frames, dtype=np.str_).astype(np.int32) if matches else np.zeros(0, np.int32)
    valid = all(map(is_file_name, set(videos)))
    return ImageRows(tuple(names.tolist()), number[index].astype(np.int32), frame, valid)
