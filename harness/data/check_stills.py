"""What a folder of stills holds, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.image_files import image_fault
from harness.data.layouts import ImageLayout
from harness.data.problems import ERROR, WARNING, Problem, ProblemReport
from harness.data.stills import Stills
from harness.metrics.tasks import AFFECTS
from harness.utils.errors import InputError
from harness.utils.progress import Progress


@dataclass(frozen=True)
class StillsCounts:
    """One split. subjects: None where every image is its own; boxed: images with a box; left_out: why, how many.

    classes: images of each expression; affects: of valence and arousal (min, max, mean, deviation), empty for none.
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
        return sum(self.classes.values())


@dataclass(frozen=True)
class StillsReport(ProblemReport):
    """What was found. whole: images without a fault, None where none was looked at; problems: errors first."""

    root: Path
    name: str
    layout: str
    summary: tuple[tuple[str, str], ...]
    whole: int | None
    counts: tuple[StillsCounts, ...]
    problems: tuple[Problem, ...]

    @property
    def images(self) -> int:
        return sum(one.images for one in self.counts)


def check_stills(source: ImageLayout, images: bool = True) -> StillsReport:
    """Look at every label and box and, with `images`, at the first and last bytes of every image file."""
    problems: list[Problem] = []
    counts, faulty = [], 0
    for split in source.splits():
        try:
            stills = source.stills(split, problems)
        except InputError as error:
            problems.append(Problem(ERROR, "split", str(error), source.root))
            continue
        faults = _find_image_faults(stills) if images else []
        faulty += len(faults)
        counts.append(_count_split(split, stills, source.excluded_counts(split)))
        problems += [*faults, *_find_split_problems(source.root, counts[-1])]
    if "train" not in source.splits():
        problems.append(Problem(ERROR, "missing split", "there is no training split", source.root))
    if len(counts) == len(source.splits()):
        problems.extend(source.find_problems())
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.severity != ERROR, p.kind, p.file, p.line or 0))
    whole = sum(one.images for one in counts) - faulty if images else None
    return StillsReport(source.root, source.name, source.layout, source.summary(), whole, tuple(counts), tuple(ordered))


def _find_image_faults(stills: Stills) -> list[Problem]:
    found = []
    with Progress("images", unit="image") as progress:
        for done, path in enumerate(stills.images, start=1):
            if fault := image_fault(path):
                found.append(Problem(WARNING, "image", f"{fault}; it is left out", path))
            if done % 256 == 0:
                progress(done, len(stills))
    return found


def _count_split(split: str, stills: Stills, left_out: Mapping[str, int]) -> StillsCounts:
    labelled = stills.expression[stills.expression >= 0]
    classes = dict(zip(stills.classes, np.bincount(labelled, minlength=len(stills.classes)).tolist()))
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
    valid = () if stills.va is None else stills.va[(stills.va >= -1).all(axis=1)].astype(np.float64)
    if not len(valid):
        return {}
    columns = zip(valid.min(axis=0), valid.max(axis=0), valid.mean(axis=0), valid.std(axis=0))
    return {name: tuple(map(float, column)) for name, column in zip(AFFECTS, columns)}


def _find_split_problems(root: Path, counts: StillsCounts) -> Iterator[Problem]:
    absent = [name for name, number in counts.classes.items() if not number]
    if not counts.images:
        yield Problem(ERROR, "empty split", f"the {counts.split} split has no image", root)
    elif not counts.expressive and counts.subjects is None:
        message = f"no image of the {counts.split} split has an expression, nor shares its subject with another"
        yield Problem(ERROR, "no label", message, root)
    elif counts.expressive and absent:
        yield Problem(WARNING, "absent class", f"{', '.join(absent)} never in the {counts.split} split", root)
