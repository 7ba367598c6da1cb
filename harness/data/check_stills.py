"""Check of a folder of still images: its contents and all problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.image_checks import ImageChecks, check_images
from harness.data.layouts import ImageLayout
from harness.data.problems import ERROR, WARNING, Problem, ProblemReport, unreadable_folder
from harness.data.stills import Stills
from harness.metrics.tasks import AFFECTS
from harness.utils.errors import InputError
from harness.utils.progress import Progress


@dataclass(frozen=True)
class StillsCounts:
    """Counts of one split.

    Attributes
    ----------
    split : str
    images : int
    subjects : int or None
        Number of subjects; None if every image is its own subject.
    boxed : int
        Number of images with a face box.
    left_out : mapping of str to int
        For each reason, the number of excluded images (or of names without an image).
    classes : mapping of str to int
        Number of images by expression.
    affects : mapping of str to tuple of float
        Minimum, maximum, mean and standard deviation of valence and arousal; empty without labels.
    """

    split: str
    images: int
    subjects: int | None
    boxed: int
    left_out: Mapping[str, int]
    classes: Mapping[str, int]
    affects: Mapping[str, tuple[float, float, float, float]]

    @property
    def expressive(self) -> int:
        """Number of images with an expression."""
        return sum(self.classes.values())


@dataclass(frozen=True)
class StillsReport(ProblemReport):
    """Result of `check_stills`.

    Attributes
    ----------
    root : Path
    name : str
    layout : str
        Description of the layout.
    summary : tuple of (str, str)
        Label and text of each line of the summary.
    whole : int or None
        Number of image files without a problem; None if they were not checked.
    counts : tuple of StillsCounts
    problems : tuple of Problem
        Errors first.
    turned : int, default 0
        Number of image files that are turned upright by their EXIF orientation.
    """

    root: Path
    name: str
    layout: str
    summary: tuple[tuple[str, str], ...]
    whole: int | None
    counts: tuple[StillsCounts, ...]
    problems: tuple[Problem, ...]
    turned: int = 0

    @property
    def images(self) -> int:
        """Number of images over all splits."""
        return sum(split.images for split in self.counts)


def check_stills(source: ImageLayout, images: bool = True) -> StillsReport:
    """Check all labels, boxes and image files of a folder of still images.

    Parameters
    ----------
    source : ImageLayout
    images : bool, default True
        Whether to check every image file.

    Returns
    -------
    StillsReport
    """
    problems: list[Problem] = []
    counts: list[StillsCounts] = []
    faulty, turned = 0, 0
    for split in source.splits():
        try:
            stills = source.stills(split, problems)
        except InputError as error:
            problems.append(Problem(ERROR, "split", str(error), source.root))
            continue
        except OSError as error:
            problems.append(unreadable_folder(Path(error.filename or source.root), error))
            continue
        counts.append(_count_split(split, stills, source.excluded_counts(split)))
        problems += _find_split_problems(source.root, counts[-1])
        if images:
            with Progress("images", unit="image") as progress:
                checks = check_images(stills.images, progress)
            faulty, turned = faulty + len(checks.faults), turned + int(checks.turned.sum())
            problems += _find_image_problems(source.root, split, stills, checks)
    if "train" not in source.splits():
        problems.append(
            Problem(ERROR, "missing split", "no training split; backbones cannot be trained without one", source.root)
        )
    if len(counts) == len(source.splits()):
        problems.extend(source.find_problems())
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.severity != ERROR, p.kind, p.file, p.line or 0))
    whole = sum(split.images for split in counts) - faulty if images else None
    return StillsReport(
        source.root, source.name, source.layout, source.summary(), whole, tuple(counts), tuple(ordered), turned
    )


def _find_image_problems(root: Path, split: str, stills: Stills, checks: ImageChecks) -> Iterator[Problem]:
    for index, fault in checks.faults.items():
        yield Problem(WARNING, "image", f"{fault}; it is skipped", stills.images[index])
    if stills.boxes is None:
        return
    turned = np.flatnonzero(checks.turned & ~np.isnan(stills.boxes[:, 0]))
    if len(turned):
        message = (
            f"{len(turned):,} images of the {split} split have a face box and an EXIF orientation (first: "
            f"{stills.images[turned[0]].relative_to(root)}); they are turned upright before they are cropped, so their "
            "boxes must refer to the upright image"
        )
        yield Problem(WARNING, "orientation", message, root)


def _count_split(split: str, stills: Stills, left_out: Mapping[str, int]) -> StillsCounts:
    labels = stills.expression[stills.expression >= 0]
    classes = dict(zip(stills.classes, np.bincount(labels, minlength=len(stills.classes)).tolist()))
    boxed = 0 if stills.boxes is None else int((~np.isnan(stills.boxes[:, 0])).sum())
    subjects = len(np.unique(stills.subject))
    return StillsCounts(
        split,
        len(stills),
        None if subjects == len(stills) else subjects,
        boxed,
        left_out,
        classes,
        _affect_statistics(stills),
    )


def _affect_statistics(stills: Stills) -> dict[str, tuple[float, float, float, float]]:
    if stills.va is None:
        return {}
    valid = stills.va[(stills.va >= -1).all(axis=1)].astype(np.float64)
    if not len(valid):
        return {}
    columns = zip(valid.min(axis=0), valid.max(axis=0), valid.mean(axis=0), valid.std(axis=0))
    return {
        name: (float(low), float(high), float(mean), float(std))
        for name, (low, high, mean, std) in zip(AFFECTS, columns)
    }


def _find_split_problems(root: Path, counts: StillsCounts) -> Iterator[Problem]:
    absent = [name for name, number in counts.classes.items() if not number]
    if not counts.images:
        yield Problem(ERROR, "empty split", f"the {counts.split} split has no images", root)
    elif not counts.expressive and counts.subjects is None:
        message = f"no image of the {counts.split} split has an expression, and no two images share a subject"
        yield Problem(ERROR, "no label", message, root)
    elif counts.expressive and absent:
        yield Problem(WARNING, "absent class", f"the {counts.split} split has no {', '.join(absent)}", root)
