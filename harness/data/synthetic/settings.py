"""Settings of the synthetic videos and still images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

GENERIC = "generic"
VIDEO_STYLES, STILL_STYLES = (GENERIC, "spontaneous"), (GENERIC, "posed")
"""Names of the styles. The module `styles` defines them; it is not imported here because it imports the renderer."""


def _validate_style(style: str, styles: tuple[str, ...]) -> None:
    if style not in styles:
        raise unknown_name_error("synthetic.style", style, styles)


@dataclass(frozen=True)
class SyntheticVideos:
    """Synthetic videos that a recipe runs on if no dataset is given.

    Parameters
    ----------
    videos : int, default 40
        Number of videos, at least 4.
    frames : int, default 150
        Number of frames of each video, at least 10.
    seed : int, default 0
    style : {"generic", "spontaneous"}, default "generic"
        In generic videos, expressions are strong, and faces have the same size and position in the image as in generic
        still images. In spontaneous videos, people talk, expressions are subtle and mixed, about a quarter of the
        frames show the class Other, and faces are smaller, turned and less sharp.

    Raises
    ------
    InputError
        If `videos`, `frames` or `seed` is too small, or the style is unknown.

    Examples
    --------
    >>> SyntheticVideos(videos=12)
    SyntheticVideos(videos=12, frames=150, seed=0, style='generic')
    """

    hash_tag: ClassVar[str] = "SyntheticVideos"
    videos: int = 40
    frames: int = 150
    seed: int = 0
    style: str = field(default=GENERIC, metadata={"omit_default": True})

    def __post_init__(self) -> None:
        require(self.videos >= 4, f"synthetic.videos is {self.videos}; at least 4 are needed for the three splits")
        require(self.frames >= 10, f"synthetic.frames is {self.frames}; at least 10 are needed")
        require(self.seed >= 0, f"synthetic.seed is {self.seed}; it must not be negative")
        _validate_style(self.style, VIDEO_STYLES)


@dataclass(frozen=True)
class SyntheticStills:
    """Synthetic still images that a backbone is trained on if no dataset is given.

    Parameters
    ----------
    images : int, default 3000
        Number of images.
    identities : int, default 120
        Number of people, at least 6; each has about the same number of images.
    seed : int, default 0
    style : {"generic", "posed"}, default "generic"
        Generic images have the classes of Aff-Wild2. Posed images have the eight classes of AffectNet (Contempt, no
        Other), stronger expressions of faces that look into the camera, and sharper images.

    Raises
    ------
    InputError
        If `identities` or `seed` is too small, or the style is unknown.

    Examples
    --------
    >>> SyntheticStills(images=1200, identities=48)
    SyntheticStills(images=1200, identities=48, seed=0, style='generic')
    """

    hash_tag: ClassVar[str] = "SyntheticStills"
    images: int = 3000
    identities: int = 120
    seed: int = 0
    style: str = field(default=GENERIC, metadata={"omit_default": True})

    def __post_init__(self) -> None:
        require(self.identities >= 6, f"synthetic.identities is {self.identities}; at least 6 are needed")
        require(self.seed >= 0, f"synthetic.seed is {self.seed}; it must not be negative")
        _validate_style(self.style, STILL_STYLES)
