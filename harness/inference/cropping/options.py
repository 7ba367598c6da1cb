"""Options of cropping, and their check before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from harness.features.crop_margins import DEFAULT_MARGIN
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.output_dir import check_output_dir
from harness.video.faces import tracker
from harness.video.faces.alignment import FIVE_POINT, FivePointAlignment
from harness.video.faces.boxes import Framing, Margin
from harness.video.faces.detector import open_detector, require_landmarks
from harness.video.faces.detector_protocol import Detector

NOTE = "crop.json"
"""Name of the report, by which a folder of crops is recognized."""
REVISION = 1
"""Version of the cropping code, part of the settings. It is raised with every change of the code that changes crops."""
QUALITY = 95
"""Quality of the JPEG files."""
MIN_SIZE, MAX_SIZE = 16, 1024
LABELS = (".csv", ".parquet")
"""Suffixes of files of labels."""


@dataclass(frozen=True)
class CropOptions:
    """Options of cropping.

    Attributes
    ----------
    out : Path
    align : {"none", "five_point"}
    margin : float or None
        Side of a crop relative to the detected box; None for the default.
    size : int
        Side of the crops in pixels.
    detector : str
    smallest : int or None
        Side in pixels of the smallest face to detect.
    labels : Path or None
        Labels to copy next to the crops.
    jobs : int
        Number of processes.
    """

    out: Path
    align: str = "none"
    margin: float | None = None
    size: int = 112
    detector: str = "auto"
    smallest: int | None = None
    labels: Path | None = None
    jobs: int = 1

    @property
    def folder(self) -> Path:
        """Folder of the crops, named as in Aff-Wild2."""
        return self.out / ("cropped" if self.align == "none" else "cropped_aligned")

    @property
    def labels_copy(self) -> Path:
        """The copy of the labels."""
        assert self.labels is not None
        return self.out / f"labels{self.labels.suffix.lower()}"

    @cached_property
    def framing(self) -> Framing:
        """Framing of the crops."""
        if self.align == FIVE_POINT:
            return FivePointAlignment()
        return DEFAULT_MARGIN if self.margin is None else Margin(self.margin)

    def open_detector(self) -> Detector:
        """Open the face detector, once in each process."""
        return _open_detector(self.detector, self.smallest)

    def settings(self) -> dict[str, Any]:
        """Collect everything that the crops of a video depend on, as JSON types."""
        return {
            "align": self.align,
            "margin": self.framing.as_json(),
            "size": self.size,
            "detector": self.open_detector().identity,
            "rules": [REVISION, tracker.REVISION, QUALITY],
        }


@cache
def _open_detector(name: str, smallest: int | None) -> Detector:
    return open_detector(name, smallest)


def check_crop_options(options: CropOptions, inputs: Sequence[str]) -> None:
    """Raise InputError for invalid options.

    Parameters
    ----------
    options : CropOptions
    inputs : sequence of str
        The videos and folders to read.
    """
    if options.align not in ("none", FIVE_POINT):
        raise unknown_name_error("alignment", options.align, ("none", FIVE_POINT))
    if options.margin is not None and options.align != "none":
        raise InputError(
            "--margin does not apply to aligned crops, which have the margin of the template; leave it out"
        )
    if options.margin is not None and not 0.5 <= options.margin <= 4:
        raise InputError(
            f"--margin {options.margin:g}: the side of a crop must be from 0.5 to 4 times the side of the detected box"
        )
    if not MIN_SIZE <= options.size <= MAX_SIZE:
        raise InputError(f"--size {options.size}: the side of a crop must be from {MIN_SIZE} to {MAX_SIZE} pixels")
    labels = options.labels
    if labels is not None and not labels.is_file():
        raise InputError(f"--labels {labels}: no such file; give a table of labels, or leave it out")
    if labels is not None and labels.suffix.lower() not in LABELS:
        raise InputError(f"--labels {labels} is neither a .csv nor a .parquet file; give a table of one of these kinds")
    check_output_dir(options.out, False, *map(Path, inputs), shared=True)
    if options.out.is_dir() and not (options.out / NOTE).is_file() and _has_content(options.out):
        raise InputError(
            f"--out {options.out} is not empty and has no {NOTE} of earlier crops; choose a new or an empty folder"
        )
    detector = options.open_detector()
    if options.align != "none":
        require_landmarks(detector, f"--align {options.align} turns faces upright")


def _has_content(out: Path) -> bool:
    return any(not path.name.startswith(".") for path in out.iterdir())
