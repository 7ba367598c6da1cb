"""AffectNet as released in 2021: cropped faces, and one .npy file for each label of each."""

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
from harness.data.annotations import Rule
from harness.data.layouts import ImageLayout, folder_name
from harness.data.npy_scalars import NpyScalarReader
from harness.data.problems import ERROR, WARNING, Problem
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
    """A split's images and their labels. labels: float64 [N, 3] code, valence, arousal, NaN where no file has it.

    unused: images that annotation files are there for, but that are not there themselves.
    """

    images: tuple[Path, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    unused: tuple[str, ...]
    faults: tuple[Problem, ...]

    @property
    def expressive(self) -> np.ndarray:
        return self.labels[:, 0] < len(AFFECTNET)


class AffectNet2021(ImageLayout):
    """Every image is its own subject, named with its folder, since both have a 0.jpg.

    The images are faces already, and landmarks are not read.
    """

    layout = (
        "AffectNet of 2021 (train_set/images/0.jpg, train_set/annotations/0_exp.npy, 0_val.npy and 0_aro.npy, "
        "val_set alike)"
    )

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self._annotated: dict[str, FolderImageList] = {}

    @classmethod
    def detect(cls, root: Path) -> bool:
        return any(_has_split(root, split) for split in FOLDERS)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in FOLDERS if _has_split(self.root, split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """The images with one of the eight expressions, in the order of their numbers."""
        found = self.image_list(split)
        if found.faults and problems is None:
            raise found.faults[0].to_exception()
        if problems is not None:
            problems.extend(found.faults)
        rows = np.flatnonzero(found.expressive)
        names = tuple(f"{FOLDERS[split]}/{found.names[row]}" for row in rows)
        return Stills(
            tuple(found.images[row] for row in rows),
            np.arange(len(rows)),
            names,
            affectnet_labels.expressions(found.labels[rows, 0].astype(np.int64)),
            affectnet_labels.affects(found.labels[rows, 1], found.labels[rows, 2]),
            None,
            AFFECTNET,
        )

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        found = self.image_list(split)
        counts = {
            affectnet_labels.NO_EXPRESSION: int((found.labels[:, 0] >= len(AFFECTNET)).sum()),
            "no _exp.npy file": len(self._names_without_expression(found)),
            "no image file": len(found.unused),
        }
        return {why: count for why, count in counts.items() if count}

    def image_list(self, split: str) -> FolderImageList:
        """The images and labels of a split, read once."""
        if self.validate_split(split) not in self._annotated:
            self._annotated[split] = _read_image_list(self.root / FOLDERS[split])
        return self._annotated[split]

    def find_problems(self) -> Iterator[Problem]:
        for split in self.splits():
            found, folder = self.image_list(split), self.root / FOLDERS[split]
            if len(bare := self._names_without_expression(found)):
                message = f"{len(bare):,} images have no _exp.npy, the first {bare[0]}; they are left out"
                yield Problem(WARNING, "no annotation", message, folder / "images")
            if found.unused:
                message = f"{len(found.unused):,} annotated images are not there, the first {found.unused[0]}"
                yield Problem(WARNING, "missing image", message, folder / "images")
            halves = np.flatnonzero(found.expressive & np.isnan(found.labels[:, 1:]).any(axis=1))
            if len(halves):
                message = (
                    f"{len(halves):,} images have no _val.npy or no _aro.npy, the first "
                    f"{found.names[halves[0]]}; they have no such label"
                )
                yield Problem(WARNING, "no annotation", message, folder / "annotations")

    def summary(self) -> tuple[tuple[str, str], ...]:
        return (("folders", ", ".join(FOLDERS[split] for split in self.splits())),)

    def _names_without_expression(self, found: FolderImageList) -> list[str]:
        faulty = {problem.file.name for problem in found.faults}
        rows = np.flatnonzero(np.isnan(found.labels[:, 0]))
        return [found.names[row] for row in rows if f"{_stem(found.names[row])}_exp.npy" not in faulty]


def _has_split(root: Path, split: str) -> bool:
    return (root / FOLDERS[split] / "images").is_dir() and (root / FOLDERS[split] / "annotations").is_dir()


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _read_image_list(folder: Path) -> FolderImageList:
    images, annotations = folder / "images", folder / "annotations"
    names = sorted(image_files.list_image_names(images), key=lambda name: (len(_stem(name)), name))
    if not names:
        raise InputError(f"{images}: no image; AffectNet's are named 0.jpg, 1.jpg, ...")
    stems = [_stem(name) for name in names]
    labels, faults = _read_annotations(annotations, stems)
    held = {name.removesuffix("_exp.npy") for name in os.listdir(annotations) if name.endswith("_exp.npy")}
    return FolderImageList(
        tuple(images / name for name in names),
        tuple(names),
        labels,
        tuple(sorted(held.difference(stems), key=lambda stem: (len(stem), stem))),
        tuple(faults),
    )


def _read_annotations(annotations: Path, stems: list[str]) -> tuple[np.ndarray, list[Problem]]:
    reader = NpyScalarReader()

    def read_block(start: int) -> tuple[list[list[float]], list[Problem]]:
        wrong: list[Problem] = []
        return [_read_labels(reader, annotations, stem, wrong) for stem in stems[start : start + BLOCK]], wrong

    values, faults = [], []
    with ThreadPoolExecutor(READERS) as pool, Progress("annotations", unit="image") as progress:
        for found, wrong in pool.map(read_block, range(0, len(stems), BLOCK)):
            values += found
            faults += wrong
            progress(len(values), len(stems))
    return np.array(values, np.float64), faults


def _read_labels(reader: NpyScalarReader, annotations: Path, stem: str, faults: list[Problem]) -> list[float]:
    """Code, valence and arousal of one image; NaN where the file is absent or faulty."""
    found = []
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
        found.append(value)
    return found
