"""The videos of a command: files, and folders of frames, with the names of their folders of crops."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.image_files import is_image_name, list_image_names
from harness.inference.cropping.options import NOTE
from harness.inference.inputs import CAMERA, expand_inputs
from harness.utils.errors import InputError
from harness.utils.files import file_version
from harness.utils.hashing import content_hash
from harness.utils.names import folded_name
from harness.video.folder_contents import is_animated, list_folder
from harness.video.source import missing_path_error

_PERSON = re.compile(r"(.+)_(left|right|[0-9]+)")
"""Name of the crops of one of several people, as `people_names` gives it."""
PEOPLE = "-people"


@dataclass(frozen=True)
class VideoFile:
    """A video, or a folder with its frames.

    Attributes
    ----------
    text : str
        Path as the user named it.
    size : int
        Size in bytes; for a folder, the total size of its images.
    version : str
        Hash of names, sizes and times of the files.
    """

    text: str
    size: int
    version: str

    @property
    def source(self) -> str:
        """Absolute path without links."""
        return os.path.realpath(self.text)


def list_videos(texts: Sequence[str]) -> tuple[list[VideoFile], list[str]]:
    """List the videos that paths, patterns and folders stand for.

    A folder with still images is one video, and the images are its frames. An animated image is a video. A folder
    without images and videos is replaced by its subfolders with images.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    videos : list of VideoFile
    notes : list of str
        Messages about files that are not read.

    Raises
    ------
    InputError
        If an input does not exist, is a camera or a still image, or is a folder without videos and images.
    """
    for text in texts:
        if text.startswith(CAMERA):
            raise InputError(f"{text}: a camera cannot be cropped; record a video and give that")
    inputs, notes = expand_inputs(texts)
    paths = {os.path.realpath(path): path for text in inputs for path in _expand_frames(text, notes)}
    return [VideoFile(path, *_version(Path(path))) for path in paths.values()], notes


def _expand_frames(text: str, notes: list[str]) -> Iterator[str]:
    path = Path(text)
    if not path.exists():
        raise missing_path_error(path)
    if not path.is_dir():
        if is_image_name(path.name) and not is_animated(path):
            raise InputError(f"{text}: a still image; give a video, or a folder with the frames of a video")
        yield text
        return
    contents = list_folder(path)
    if contents.images:
        if contents.videos:
            notes.append(
                f"{text}: its images are the frames of one video; {len(contents.videos)} videos next to them are not "
                "read, so put them in a folder without images"
            )
        yield text
        return
    folders = [name for name in contents.folders if list_image_names(path / name) and not (path / name / NOTE).exists()]
    if not folders:
        where = f", only folders such as '{contents.folders[0]}'" if contents.folders else ""
        raise InputError(f"{text}: this folder contains no videos and no frames{where}; give a folder of videos")
    yield from (str(path / name) for name in folders)


def _version(path: Path) -> tuple[int, str]:
    files = [path / name for name in list_folder(path).images] if path.is_dir() else [path]
    versions = [file_version(file) for file in files]
    return sum(max(size, 0) for _, size, _ in versions), content_hash(versions)


def people_bases(names: Mapping[str, str]) -> dict[str, str]:
    """Choose the start of the names of the people of each video, for videos with several people.

    It is the name of the video, unless the name of another video could also be the name of one of its people.

    Parameters
    ----------
    names : mapping of str to str
        Names of all videos by their paths.

    Returns
    -------
    dict of str to str
        Starts of the names, by the same paths.

    Examples
    --------
    >>> people_bases({"talk.mp4": "talk", "talk_2.mp4": "talk_2"})
    {'talk.mp4': 'talk.mp4', 'talk_2.mp4': 'talk_2'}
    """
    taken = {folded_name(name) for name in names.values()}
    people = {folded_name(match[1]) for name in names.values() if (match := _PERSON.fullmatch(name))}
    bases = dict(names)
    for path, name in names.items():
        if folded_name(name) in people:
            longer = Path(path).name
            is_free = folded_name(longer) not in taken and folded_name(longer) not in people
            bases[path] = longer if is_free else name + PEOPLE
    return bases
