"""AffectNet as released in 2021: cropped faces, with one .npy file for each label of each image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backbones.spec import AFFECTNET
from harness.data import affectnet_labels, image_files
from harness.data.annotation_formats import Rule
from harness.data.layouts import ImageLayout, folder_name
from harness.data.npy_scalars import NpyScalarReader
from harness.data.problems import ERROR, WARNING, Problem, first_error
from harness.data.stills import Stills
from harness.utils.errors import InputError
from harness.utils.progress import Progress

FOLDERS = {"train": "train_set", "validation": "val_set"}
LABELS: dict[str, tuple[str, Rule]] = {
    "exp": ("expression", Rule(float, lambda v: np.isin(v, np.arange(11)), affectnet_labels.CODE_RULE.says)),
    "val": ("valence", affectnet_labels.AFFECT_RULE),
    "aro": ("arousal", affectnet_labels.AFFECT_RULE),
}
BLOCK = 512
READERS = 8


@dataclass(frozen=True, eq=False)
class FolderImageList:
    """Images of one split and their labels.

    Attributes
    ----------
    images : tuple of Path
    names : tuple of str
        File names of the images.
    labels : float64 array of shape (N, 3)
        Expression code, valence and arousal (-2 for no label); NaN where the file of a label is missing or malformed.
    unused : tuple of str
        Names, without suffix, of images that are annotated but missing.
    faults : tuple of Problem
    """

    images: tuple[Path, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    unused: tuple[str, ...]
    faults: tuple[Problem, ...]

    @property
    def expressive(self) -> np.ndarray:
        """Bool mask (N,) of the images with one of the eight expressions."""
        return self.labels[:, 0] < len(AFFECTNET)


class AffectNet2021(ImageLayout):
    """AffectNet as released in 2021. Every image is its own subject.

    Names of subjects contain the folder of the split, because both splits have a 0.jpg. The images are cropped faces;
    the landmarks are not read.

    Parameters
    ----------
    root : Path
    """

    layout = (
        "AffectNet of 2021 (train_set/images/0.jpg, train_set/annotations/0_exp.npy, 0_val.npy and 0_aro.npy, "
        "and the same in val_set)"
    )

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self._annotated: dict[str, FolderImageList] = {}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` has the folders of at least one split."""
        return any(_has_split(root, split) for split in FOLDERS)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is not used."""
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        """Return the splits whose folders exist or cannot be entered."""
        return tuple(split for split in FOLDERS if _has_split(self.root, split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the images with one of the eight expressions, in the order of their numbers."""
        images = self.image_list(split)
        if images.faults and problems is None:
            raise first_error(images.faults)
        if problems is not None:
            problems.extend(images.faults)
        rows = np.flatnonzero(images.expressive)
        names = tuple(f"{FOLDERS[split]}/{images.names[row]}" for row in rows)
        return Stills(
            tuple(images.images[row] for row in rows),
            np.arange(len(rows)),
            names,
            affectnet_labels.parse_expressions(images.labels[rows, 0].astype(np.int64)),
            affectnet_labels.parse_affects(images.labels[rows, 1], images.labels[rows, 2]),
            None,
            AFFECTNET,
        )

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Return, for each reason, how many images (or annotated names without an image) are excluded."""
        images = self.image_list(split)
        counts = {
            affectnet_labels.NO_EXPRESSION: int((images.labels[:, 0] >= len(AFFECTNET)).sum()),
            "no _exp.npy file": len(self._names_without_expression(images)),
            "no image file": len(images.unused),
        }
        return {reason: count for reason, count in counts.items() if count}

    def image_list(self, split: str) -> FolderImageList:
        """Return the images and labels of a split, read at the first call."""
        if self.validate_split(split) not in self._annotated:
            self._annotated[split] = _read_image_list(self.root / FOLDERS[split])
        return self._annotated[split]

    def find_problems(self) -> Iterator[Problem]:
        """Yield images without annotations and annotations without an image."""
        for split in self.splits():
            images, folder = self.image_list(split), self.root / FOLDERS[split]
            if names := self._names_without_expression(images):
                message = f"{len(names):,} images have no _exp.npy (first: {names[0]}); they are skipped"
                yield Problem(WARNING, "no annotation", message, folder / "images")
            if images.unused:
                message = f"{len(images.unused):,} annotated images are missing (first: {images.unused[0]})"
                yield Problem(WARNING, "missing image", message, folder / "images")
            incomplete = np.flatnonzero(images.expressive & np.isnan(images.labels[:, 1:]).any(axis=1))
            if len(incomplete):
                message = (
                    f"{len(incomplete):,} images have no _val.npy or no _aro.npy (first: "
                    f"{images.names[incomplete[0]]}); only their expression is used"
                )
                yield Problem(WARNING, "no annotation", message, folder / "annotations")

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the folders of the splits."""
        return (("folders", ", ".join(FOLDERS[split] for split in self.splits())),)

    def _names_without_expression(self, images: FolderImageList) -> list[str]:
        malformed = {problem.file.name for problem in images.faults}
        rows = np.flatnonzero(np.isnan(images.labels[:, 0]))
        return [images.names[row] for row in rows if f"{_stem(images.names[row])}_exp.npy" not in malformed]


def _has_split(root: Path, split: str) -> bool:
    """Return whether a split has its folders, or a folder that cannot be entered."""
    folder = root / FOLDERS[split]
    if not folder.is_dir():
        return False
    try:
        return (folder / "images").is_dir() and (folder / "annotations").is_dir()
    except PermissionError:
        return True


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - called for each of 290,000 names


def _read_image_list(folder: Path) -> FolderImageList:
    images, annotations = folder / "images", folder / "annotations"
    names = sorted(image_files.list_image_names(images), key=lambda name: (len(_stem(name)), name))
    if not names:
        raise InputError(f"{images}: no image; put the images of AffectNet there (0.jpg, 1.jpg, ...)")
    stems = [_stem(name) for name in names]
    labels, faults = _read_annotations(annotations, stems)
    annotated = {
        name.removesuffix("_exp.npy") for name in image_files.list_names(annotations) if name.endswith("_exp.npy")
    }
    return FolderImageList(
        tuple(images / name for name in names),
        tuple(names),
        labels,
        tuple(sorted(annotated.difference(stems), key=lambda stem: (len(stem), stem))),
        tuple(faults),
    )


def _read_annotations(annotations: Path, stems: list[str]) -> tuple[np.ndarray, list[Problem]]:
    reader = NpyScalarReader()

    def read_block(start: int) -> tuple[list[list[float]], list[Problem]]:
        block_faults: list[Problem] = []
        block = stems[start : start + BLOCK]
        return [_read_labels(reader, annotations, stem, block_faults) for stem in block], block_faults

    values: list[list[float]] = []
    faults: list[Problem] = []
    with ThreadPoolExecutor(READERS) as pool, Progress("annotations", unit="image") as progress:
        for block_values, block_faults in pool.map(read_block, range(0, len(stems), BLOCK)):
            values += block_values
            faults += block_faults
            progress(len(values), len(stems))
    return np.array(values, np.float64), faults


def _read_labels(reader: NpyScalarReader, annotations: Path, stem: str, faults: list[Problem]) -> list[float]:
    """Read expression code, valence and arousal of one image; NaN where a label's file is missing or malformed."""
    labels: list[float] = []
    for suffix, (name, rule) in LABELS.items():
        value = np.nan
        try:
            value = reader.read(f"{annotations}/{stem}_{suffix}.npy")
            if not rule.ok(value):
                raise ValueError(f"{name} is {value:g}; it must be {rule.says}")
        except FileNotFoundError:
            pass
        except (ValueError, OSError) as error:
            message = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            faults.append(Problem(ERROR, "annotation", message, annotations / f"{stem}_{suffix}.npy"))
            value = np.nan
        labels.append(value)
    return labels
