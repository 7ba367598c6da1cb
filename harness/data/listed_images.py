"""Image table that is made from folder names, or from a list that is not a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from backbones.spec import AFFECTNET
from harness.data.csv_table import Table
from harness.data.expression_words import CONTEMPT
from harness.data.image_table import VALIDATION_SHARE, ImageTable
from harness.data.layouts import folder_name
from harness.data.problems import WARNING, Problem
from harness.data.stills import Stills
from harness.metrics.tasks import EXPRESSIONS, get_task
from harness.utils.hashing import content_hash


class ListedImages(ImageTable):
    """Images with expressions. Every image is its own subject.

    If there is no split `validation`, the split `test` serves as the validation split, on which scores are reported. If
    there is no split `test` either, the validation split is about a fifth of the images of each expression, drawn with
    `seed`.

    Parameters
    ----------
    root : Path
    images : sequence of (str, str, str)
        For each image: path relative to `root`, name of the expression, and split ('' for none).
    seed : int, default 0
        Seed of the validation split.
    faults : tuple of Problem
        Problems of folders that cannot be read.
    """

    def __init__(
        self, root: Path, images: Sequence[tuple[str, str, str]], seed: int = 0, faults: tuple[Problem, ...] = ()
    ):
        self.root = self.csv = Path(root)
        self.name = folder_name(self.root)
        self.seed = seed
        names, expressions, splits = (np.array(column, np.str_) for column in zip(*images))
        self.delivered = tuple(split for split in ("train", "validation", "test") if split in splits)
        if "validation" not in self.delivered:
            splits = np.where(splits == "test", "validation", splits)
        columns = {"image": names, "expression": expressions}
        if set(self.delivered) - {"train"}:
            columns["split"] = splits
        self.table = Table(self.root, columns, np.arange(1, len(names) + 1), faults)
        self.split, self.split_faults = self._parse_or_make_splits()

    def _parse_or_make_splits(self) -> tuple[np.ndarray, tuple[Problem, ...]]:
        if "split" in self.table.columns:
            return super()._parse_or_make_splits()
        _, code, counts = np.unique(self.table.columns["expression"], return_inverse=True, return_counts=True)
        order = np.lexsort((np.random.default_rng(self.seed).random(len(code)), code))
        rank = np.empty_like(order)
        rank[order] = np.arange(len(code)) - np.repeat(np.cumsum(counts) - counts, counts)
        held_out = np.where(counts > 1, np.maximum(1, np.rint(VALIDATION_SHARE * counts)), 0)
        return np.where(rank < held_out[code], "validation", "train"), ()

    def labels_digest(self, task: str, split: str) -> str:
        """Return a hash of the names, the expressions, and either the splits or the seed that determines them."""
        get_task(task)
        seed = None if "split" in self.table.columns else self.seed
        return content_hash([{name: column.tolist() for name, column in self.table.columns.items()}, seed])

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the images of a split, with the classes of AffectNet if the labels include contempt but not Other."""
        stills = super().stills(split, problems)
        words = self.table.columns["expression"]
        if CONTEMPT not in words or EXPRESSIONS[-1] in words:
            return stills
        rows = (self.split == split) & self.image_exists
        expression = np.array([AFFECTNET.index(word) for word in words[rows].tolist()], np.int64)
        return replace(stills, expression=expression, classes=AFFECTNET)

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield folders that cannot be read, missing images, and images of contempt, a class that task expr lacks."""
        yield from self.table.faults
        missing = np.flatnonzero(~self.image_exists)
        if len(missing):
            message = f"{len(missing):,} images are missing (first: {self.paths[missing[0]]}); they are skipped"
            yield Problem(WARNING, "missing image", message, self.root)
        contempt = int(np.sum(self.table.columns["expression"] == CONTEMPT))
        if contempt:
            message = f"{contempt:,} images show contempt; task expr has no such class, so heads learn them as Other"
            yield Problem(WARNING, "contempt", message, self.root)

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the origin of the splits."""
        return (("splits", self._describe_splits()),)

    def _describe_splits(self) -> str:
        if "split" not in self.table.columns:
            return f"by image, with seed {self.seed}; people are not known, so the same person may be in both splits"
        if "validation" not in self.delivered and "test" in self.delivered:
            return f"{', '.join(self.delivered)}; there is no validation split, so the test images serve as one"
        return ", ".join(self.delivered)
