"""Find crops of a dataset that a backbone was trained on, by the hashes saved with the backbone (`learned_images`)."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backbones.errors import join_first
from harness.data.dataset import Dataset
from harness.data.hamming import CHUNK, hamming_neighbors
from harness.data.image_hashes import mirror_hashes
from harness.data.leakage import COMPARED_SPLITS, load_or_compute_hashes
from harness.data.learned_images import read_learned_images
from harness.data.near_duplicates import CropIndex
from harness.utils.escaping import escape_csv
from harness.utils.files import write_text
from harness.utils.hashing import content_hash
from harness.utils.store import Store

logger = logging.getLogger(__name__)

MAX_ROW_DISTANCE = 2
"""Maximum number of differing bits of row hashes; for column hashes, `hamming.MAX_DISTANCE` applies."""
CHANCE = 1e-8
"""Upper bound of the share of pairs of different images whose hashes match. It is only reported in the warning.

None of 4.6e8 pairs of faces of different people (photographed and rendered, also mirrored) matched, so the share is
below 6.5e-9 with a confidence of 95% (rule of three).
"""
MAX_EXAMPLES = 3


@dataclass(frozen=True)
class LearnedCrops:
    """Crops of one split that a backbone learned from.

    Attributes
    ----------
    backbone, task, split : str
    crops : tuple of str
        Image files, relative to the folder of the dataset.
    total : int
        Number of crops of the split that were compared.
    chance : float
        Upper bound of the expected number of chance matches with different images, see `CHANCE`.
    """

    backbone: str
    task: str
    split: str
    crops: tuple[str, ...]
    total: int
    chance: float


def match_images(columns: np.ndarray, rows: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Find images whose hashes match those of training images, mirrored or not.

    Parameters
    ----------
    columns, rows : uint64 array of shape (N,)
        Hashes of the images.
    learned : uint64 array of shape (M, 2)
        See `read_learned_images`.

    Returns
    -------
    bool array of shape (N,)
    """
    images, inverse = np.unique(np.stack([columns, rows], axis=1), axis=0, return_inverse=True)
    mirrored = np.stack(mirror_hashes(images[:, 1], images[:, 0])[::-1], axis=1)
    return (_match(images, learned) | _match(mirrored, learned))[inverse.reshape(-1)]


def _match(images: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Return a mask of the images whose hashes are near those of a training image; both arrays are uint64 (N, 2).

    Pairs with similar column hashes are found first. Then the row hashes of these pairs are compared.
    """
    columns, first, counts, order = _group(images[:, 0])
    learned_columns, learned_first, learned_counts, learned_order = _group(learned[:, 0])
    near = hamming_neighbors(columns, learned_columns)
    widths = learned_counts[near[:, 1]]
    ends = np.cumsum(counts[near[:, 0]] * widths)
    matched = np.zeros(len(images), dtype=bool)
    for start in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        number = np.arange(start, min(start + CHUNK, int(ends[-1])))
        pair = np.searchsorted(ends, number, side="right")
        offset = number - np.concatenate([[0], ends])[pair]
        image = order[first[near[pair, 0]] + offset // widths[pair]]
        reference = learned_order[learned_first[near[pair, 1]] + offset % widths[pair]]
        distance = np.bitwise_count(images[image, 1] ^ learned[reference, 1])
        matched[image[distance <= MAX_ROW_DISTANCE]] = True
    return matched


def _group(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct values, the start and count of each in the sorted values, and the sorting order."""
    order = np.argsort(values, kind="stable")
    distinct, begin, counts = np.unique(values[order], return_index=True, return_counts=True)
    return distinct, begin, counts, order


def warn_learned_crops(
    dataset: Dataset, tasks: Iterable[str], images: str, folders: Mapping[str, Path], store: Store
) -> list[LearnedCrops]:
    """Find crops of the reported and test splits that backbones learned from, and log one warning for each backbone.

    Parameters
    ----------
    dataset : Dataset
    tasks : iterable of str
    images : str
        Digest of the crops of the dataset.
    folders : mapping of str to Path
        Folders of the trained backbones by name; backbones without hashes are skipped.
    store : Store
        Caches the hashes of crops; matching crops are listed in its folder of leaks, in a CSV file for each backbone.

    Returns
    -------
    list of LearnedCrops
        One for each backbone, task and split with a match.
    """
    learned = {name: hashes for name, folder in folders.items() if (hashes := read_learned_images(folder)) is not None}
    if not learned or not tasks:
        return []
    index = CropIndex(dataset, load_or_compute_hashes(dataset, images, store))
    crops = {(task, split): index.crop_indices(task, split) for task in tasks for split in COMPARED_SPLITS}
    compared = np.unique(np.concatenate(list(crops.values())))
    found: list[LearnedCrops] = []
    for name, hashes in learned.items():
        matches = match_images(index.hashes.columns[compared], index.hashes.hashes[compared], hashes)
        copies = compared[matches]
        for (task, split), indices in crops.items():
            seen = np.intersect1d(indices, copies)
            if len(seen):
                paths = tuple(sorted(map(index.relative_path, seen.tolist())))
                chance = CHANCE * len(indices) * len(hashes)
                found.append(LearnedCrops(name, task, split, paths, len(indices), chance))
    for name in dict.fromkeys(each.backbone for each in found):
        leaks = [each for each in found if each.backbone == name]
        logger.warning(_format_warning(dataset, leaks, _write_crops(store, images, leaks)))
    return found


def _format_warning(dataset: Dataset, leaks: list[LearnedCrops], path: Path) -> str:
    crops = {crop: None for leak in leaks for crop in leak.crops}
    examples = join_first(crops, MAX_EXAMPLES)
    where = "; ".join(
        f"{len(leak.crops):,} of {leak.total:,} in {leak.split} (task {leak.task}), "
        f"where chance explains {_format_chance(leak.chance)}"
        for leak in leaks
    )
    return (
        f"{dataset.root}: the backbone {leaks[0].backbone} learned from images that have nearly the same difference "
        f"hashes as crops that are scored: {where}. Copies make its scores there too high: {examples}; all crops: "
        f"{path}; compare another backbone, or train it without these images"
    )


def _format_chance(matches: float) -> str:
    return f"at most {matches:,.1f}" if matches >= 0.1 else "fewer than 0.1"


def _write_crops(store: Store, images: str, leaks: list[LearnedCrops]) -> Path:
    """List the crops that a backbone learned from, in a CSV file."""
    rows = [(leak.split, crop, leak.task) for leak in leaks for crop in leak.crops]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("split", "image", "task"))
    lines.writerows((split, escape_csv(crop), task) for split, crop, task in rows)
    path = store.leaks / f"{content_hash([images, leaks[0].backbone, [list(row) for row in rows]])}-learned.csv"
    write_text(path, text.getvalue())
    return path
