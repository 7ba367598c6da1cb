"""Settings of the synthetic videos and stills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.utils.validation import require


@dataclass(frozen=True)
class SyntheticVideos:
    """Rendered videos that a recipe runs on where no data set is given.

    Parameters
    ----------
    videos : int, at least 4
    frames : int, at least 10
        Frames of each video.
    seed : int

    Raises
    ------
    InputError
        For fewer videos or frames.

    Examples
    --------
    >>> SyntheticVideos(videos=12)
    SyntheticVideos(videos=12, frames=150, seed=0)
    """

    hash_tag: ClassVar[str] = "SyntheticVideos"
    videos: int = 40
    frames: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.videos >= 4, f"synthetic.videos is {self.videos}; at least 4 are needed for three splits")
        require(self.frames >= 10, f"synthetic.frames is {self.frames}; at least 10 are needed")


@dataclass(frozen=True)
class SyntheticStills:
    """Rendered stills that a backbone is trained on where no data set is given.

    Parameters
    ----------
    images : int
    identities : int
        Number of people; each has about the same number of images.
    seed : int

    Examples
    --------
    >>> SyntheticStills(images=1200, identities=48)
    SyntheticStills(images=1200, identities=48, seed=0)
    """

    hash_tag: ClassVar[str] = "SyntheticStills"
    images: int = 3000
    identities: int = 120
    seed: int = 0
