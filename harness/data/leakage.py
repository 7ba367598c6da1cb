"""Leakage checks that run before the jobs of a recipe and warn about anything that could inflate its scores.

The reported split is the split on which the final scores are computed.
"""

from __future__ import annotations

import csv
import io
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.errors import join_first
from backbones.spec import canonical_class
from harness.data.dataset import Dataset
from harness.data.splits import REPORTED, TRAINING
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS, get_task
from harness.utils.errors import InputError
from harness.utils.escaping import escape_csv, unescape_csv
from harness.utils.files import atomic_write, write_text
from harness.utils.hashing import content_hash
from harness.utils.npz import read_arrays
from harness.utils.parallel import run_module_in_subprocess
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.data.near_duplicates import CropHashes, NearDuplicate

logger = logging.getLogger(__name__)


def stills_digest(root: Path, cache: Path) -> str | None:
    """Return the `data_digest` in the cards of backbones trained on the still images in `root`.

    The digest covers the labels of the reported split. They are read in a subprocess, not in this process.

    Parameters
    ----------
    root : Path
    cache : Path
        File that caches the digests of images.

    Returns
    -------
    str or None
        None if it cannot be computed, for example if `root` has no still images.
    """
    return run_module_in_subprocess("harness.data.leakage", root, cache).stdout.strip() or None


def _compute_stills_digest(root: Path, cache: Path) -> str:
    from harness.data.registry import open_stills

    source = open_stills(root)
    return content_hash(
        [source.stills(split).digest(cache) for split in ("train", "validation") if split in source.splits()], 16
    )


if __name__ == "__main__":
    try:
        print(_compute_stills_digest(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201 - parsed by stills_digest
    except InputError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a program


TARGET_COLUMN_NAMES = {
    "expr": frozenset(name.lower() for name in (*EXPRESSIONS, "Contempt") if name != "Other"),
    "va": frozenset(name.lower() for name in AFFECTS),
    "au": frozenset(name.lower() for name in ACTION_UNITS),
}
"""Lower-case names of the score columns that predict each output. `Other` is left out: any classifier may have it."""

COMPARED_SPLITS = (REPORTED, "test")
COLUMNS = ("split", "image", "training_image", "tasks")
MAX_EXAMPLES = 3
HASH_VERSION, COMPARISON_VERSION = 2, 2
"""Versions of the crop hashes and of their comparison; increase them when the results change."""


def scores_leak_targets(task: str, features: str, score_labels: Sequence[str]) -> bool:
    """Return whether features include a backbone's predictions of the targets of the task.

    Parameters
    ----------
    task : str
    features : str
        Features of a job, such as `scores` or `embeddings+scores`.
    score_labels : sequence of str
        Names of the backbone's score columns; empty if they have no meaning (random weights, identities). For `expr`,
        any expression but `Other` is a leak; for `va`, valence or arousal; for `au`, any action unit; for `mtl`, any of
        these.
    """
    if "scores" not in features.split("+"):
        return False
    columns = {canonical_class(name).lower() for name in score_labels}
    return any(not columns.isdisjoint(TARGET_COLUMN_NAMES[output.name]) for output in get_task(task).outputs)


def warn_scores_leak_targets(features: Iterable[tuple[str, str, str, Sequence[str]]]) -> None:
    """Log one warning for all jobs whose features include predictions of their targets.

    Parameters
    ----------
    features : iterable of (str, str, str, sequence of str)
        Task, features, backbone and score labels of each job; see `scores_leak_targets`.
    """
    backbones: dict[str, list[str]] = {}
    for task, columns, backbone, labels in features:
        if scores_leak_targets(task, columns, labels):
            backbones.setdefault(task, []).append(backbone)
    if backbones:
        listing = "; ".join(f"{task}: {', '.join(dict.fromkeys(names))}" for task, names in backbones.items())
        logger.warning(
            f"features include the backbone's own predictions of the targets ({listing}); "
            "these runs are flagged own_scores"
        )


def warn_backbone_selected_on_validation(cards: Mapping[str, Mapping[str, Any]], root: Path, cache: Path) -> None:
    """Log one warning for all backbones whose epoch was selected on the reported split of the dataset's still images.

    Parameters
    ----------
    cards : mapping of str to mapping
        Cards of trained and imported backbones, by name. Cards without the fields `selection` and `data_digest` are
        ignored.
    root : Path
        Folder of the dataset.
    cache : Path
        File that caches the digests of images.
    """
    selected = {name: card for name, card in cards.items() if card.get("selection") == REPORTED}
    digest = stills_digest(root, cache) if selected else None
    names = [name for name, card in selected.items() if digest and card.get("data_digest") == digest]
    if names:
        logger.warning(
            f"the epoch of {', '.join(names)} was selected on the {REPORTED} split of {root}, so scores there are "
            "optimistic under any protocol; train again with --set expressions.held_out=0.1"
        )


def warn_near_duplicates(dataset: Dataset, labels: Mapping[str, str], images: str, store: Store) -> list[NearDuplicate]:
    """Find crops of the reported and test splits that duplicate a training crop, and log one warning for each split.

    Hashes and pairs are cached in <store>/artifacts/leaks, the pairs as a CSV file.

    Parameters
    ----------
    dataset : Dataset
    labels : mapping of str to str
        Digest of the annotations of each task.
    images : str
        Digest of the crops of the dataset.
    store : Store

    Returns
    -------
    list of NearDuplicate
    """
    names = _test_sequence_names(dataset, labels)
    path = store.leaks / f"{content_hash([images, dict(labels), names, HASH_VERSION, COMPARISON_VERSION])}.csv"
    if not path.is_file():
        from harness.data.near_duplicates import find_near_duplicates

        hashes = load_or_compute_hashes(dataset, images, store)
        _write_pairs(path, find_near_duplicates(dataset, labels, hashes, TRAINING, COMPARED_SPLITS))
    pairs = _read_pairs(path)
    for split in COMPARED_SPLITS:
        split_pairs = [pair for pair in pairs if pair.split == split]
        if split_pairs:
            logger.warning(_format_warning(dataset, split_pairs, path))
    return pairs


def _format_warning(dataset: Dataset, pairs: list[NearDuplicate], path: Path) -> str:
    tasks = ", ".join(dict.fromkeys(task for pair in pairs for task in pair.tasks))
    examples = join_first((f"{pair.image} = {pair.training_image}" for pair in pairs), MAX_EXAMPLES)
    crops = "1 crop in" if len(pairs) == 1 else f"{len(pairs):,} crops in"
    duplicate = "duplicates a crop in" if len(pairs) == 1 else "duplicate crops in"
    return (
        f"{dataset.root}: {crops} {pairs[0].split} {duplicate} {TRAINING} (task {tasks}), so part of "
        f"the scored data was trained on: {examples}; all pairs: {path}"
    )


def _test_sequence_names(dataset: Dataset, tasks: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the sequences of the test split of each task that has one."""
    names = {}
    for task in tasks:
        with suppress(InputError):
            names[task] = dataset.sequence_names(task, "test")
    return names


def load_or_compute_hashes(dataset: Dataset, images: str, store: Store) -> CropHashes:
    """Return the hashes of all crops of a dataset, cached in the store under the digest `images` of the crops."""
    import numpy as np

    from harness.data.near_duplicates import CropHashes, hash_crops
    from harness.utils.progress import Progress

    path = store.leaks / f"{images}-{HASH_VERSION}.npz"
    with suppress(OSError, ValueError, KeyError):
        cached = read_arrays(path)
        arrays = (cached[name] for name in ("ends", "hashes", "columns", "shows"))
        return CropHashes(tuple(cached["names"].tolist()), *arrays)
    with Progress("hashing crops", unit="sequence") as progress:
        hashes = hash_crops(dataset, progress)
    with atomic_write(path) as tmp_path, tmp_path.open("wb") as file:
        np.savez(
            file,
            names=np.array(hashes.names, dtype=np.str_),
            ends=hashes.ends,
            hashes=hashes.hashes,
            columns=hashes.columns,
            shows=hashes.shows,
        )
    return hashes


def _write_pairs(path: Path, pairs: list[NearDuplicate]) -> None:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(
        (pair.split, escape_csv(pair.image), escape_csv(pair.training_image), "+".join(pair.tasks)) for pair in pairs
    )
    write_text(path, text.getvalue())


def _read_pairs(path: Path) -> list[NearDuplicate]:
    from harness.data.near_duplicates import NearDuplicate

    with path.open(encoding="utf-8", newline="") as file:
        return [
            NearDuplicate(
                row["split"],
                unescape_csv(row["image"]),
                unescape_csv(row["training_image"]),
                tuple(row["tasks"].split("+")),
            )
            for row in csv.DictReader(file)
        ]
