"""Settings of the synthetic videos and stills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.utils.validation import _require


@dataclass(frozen=True)
class SyntheticVideos:
    """The built-in video set a recipe runs on when no --data is given."""

    hash_tag: ClassVar[str] = "SyntheticVideos"
    videos: int = 40
    frames: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.videos >= 4, f"synthetic.videos is {self.videos}; at least 4 are needed for three splits")
        _require(self.frames >= 10, f"synthetic.frames is {self.frames}; at least 10 are needed")


@dataclass(frozen=True)
class SyntheticStills:
    """The built-in stills a backbone is trained on: identities, then expressions."""

    hash_tag: ClassVar[str] = "SyntheticStills"
    images: int = 3000
    identities: int = 120
    seed: int = 0
