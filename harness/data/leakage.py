"""Ways in which an answer can reach the features of a run, looked for before its jobs start."""

from __future__ import annotations

import csv
import io
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.dataset import Dataset
from harness.data.splits import REPORTED, TRAINING
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS, get_task
from harness.utils.errors import InputError
from harness.utils.files import atomic_write, write_text
from harness.utils.hashing import content_hash
from harness.utils.parallel import run_module_in_subprocess
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.data.near_duplicates import CropHashes, NearDuplicate

logger = logging.getLogger(__name__)


def stills_digest(root: Path, cache: Path) -> str | None:
    """The `data_digest` of a card whose backbone learned expressions in `root`; None where there are no such stills.

    cache: file that remembers the digests of images.
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
        print(_compute_stills_digest(Path(sys.argv[1]), Path(sys.argv[2])))
    except InputError as error:
        print(error, file=sys.stderr)


TARGET_COLUMN_NAMES = {
    "expr": frozenset(name.lower() for name in (*EXPRESSIONS, "Contempt") if name != "Other"),
    "va": frozenset(name.lower() for name in AFFECTS),
    "au": frozenset(name.lower() for name in ACTION_UNITS),
}
"""What score columns are called that predict an output; `Other` is what any classifier may call its rest."""

COMPARED_SPLITS = (REPORTED, "test")
COLUMNS = ("split", "image", "training_image", "tasks")
MAX_EXAMPLES = 3
HASH_VERSION, COMPARISON_VERSION = 1, 2
"""Versions of the hashes and of what is done with them; raised when either changes."""


def scores_leak_targets(task: str, features: str, score_labels: Sequence[str]) -> bool:
    """Whether the features hold a backbone's own predictions of what the task asks for.

    features: of a job (`scores`, `embeddings+scores`, ...); score_labels: names of the backbone's score columns,
    () where they mean nothing (random weights, identities). Any expression counts for `expr`, valence or arousal for
    `va`, an action unit for `au`, and any of these for `mtl`.
    """
    if "scores" not in features.split("+"):
        return False
    columns = {name.lower() for name in score_labels}
    return any(not columns.isdisjoint(TARGET_COLUMN_NAMES[output.name]) for output in get_task(task).outputs)


def warn_scores_leak_targets(features: Iterable[tuple[str, str, str, Sequence[str]]]) -> None:
    """One line for the jobs (task, features, backbone, its score labels) whose features predict their own task."""
    found: dict[str, list[str]] = {}
    for task, columns, backbone, labels in features:
        if scores_leak_targets(task, columns, labels):
            found.setdefault(task, []).append(backbone)
    if found:
        named = "; ".join(f"{task}: {', '.join(dict.fromkeys(names))}" for task, names in found.items())
        logger.warning(
            f"features hold scores that already predict what the task asks for ({named}); "
            "their rows are flagged own_scores"
        )


def warn_backbone_selected_on_validation(cards: Mapping[str, Mapping[str, Any]], root: Path, cache: Path) -> None:
    """One line for the backbones whose training chose its epoch by the very stills that are reported.

    cards: of trained and imported backbones, by name; only a card that says what chose the epoch, and on which data,
    tells. cache: file that remembers the digests of images.
    """
    tuned = {name: card for name, card in cards.items() if card.get("selection") == REPORTED}
    known = stills_digest(root, cache) if tuned else None
    named = [name for name, card in tuned.items() if known and card.get("data_digest") == known]
    if named:
        logger.warning(
            f"the epoch of {', '.join(named)} was chosen by the {REPORTED} split of {root} itself, so what "
            "it scores there is optimistic under any protocol; train it with --set expressions.held_out=0.1"
        )


def warn_near_duplicates(dataset: Dataset, labels: Mapping[str, str], images: str, store: Store) -> list[NearDuplicate]:
    """Crops of the reported or the test split that show the picture of a training crop; one line for each split.

    labels: digests of the annotations, which say what is in which split, by task; images: digest of the data set's
    crops. Hashes and findings are kept in <store>/artifacts/leaks, the findings as a CSV file of every pair, so that
    another run only reads them.
    """
    folder = store.leaks
    names = _test_sequence_names(dataset, labels)
    path = folder / f"{content_hash([images, dict(labels), names, HASH_VERSION, COMPARISON_VERSION])}.csv"
    if not path.is_file():
        from harness.data.near_duplicates import find_near_duplicates

        hashes = _load_or_compute_hashes(dataset, folder / f"{images}-{HASH_VERSION}.npz")
        _write_pairs(path, find_near_duplicates(dataset, labels, hashes, TRAINING, COMPARED_SPLITS))
    pairs = _read_pairs(path)
    for split in COMPARED_SPLITS:
        found = [pair for pair in pairs if pair.split == split]
        if found:
            logger.warning(_format_warning(dataset, found, path))
    return pairs


def _format_warning(dataset: Dataset, found: list[NearDuplicate], path: Path) -> str:
    tasks = ", ".join(dict.fromkeys(task for pair in found for task in pair.tasks))
    shown = ", ".join(f"{pair.image} = {pair.training_image}" for pair in found[:MAX_EXAMPLES])
    rest = f" and {len(found) - MAX_EXAMPLES:,} more" if len(found) > MAX_EXAMPLES else ""
    crops = "1 crop shows" if len(found) == 1 else f"{len(found):,} crops show"
    return (
        f"{dataset.root}: {crops} in {found[0].split} the very picture of a crop in {TRAINING} "
        f"(task {tasks}), so part of what is scored was trained on: {shown}{rest}; all pairs: {path}"
    )


def _test_sequence_names(dataset: Dataset, tasks: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The sequences of the test split of each task that has one."""
    found = {}
    for task in tasks:
        with suppress(InputError):
            found[task] = dataset.sequence_names(task, "test")
    return found


def _load_or_compute_hashes(dataset: Dataset, path: Path) -> CropHashes:
    """The hashes of every crop, kept at `path`."""
    import numpy as np

    from harness.data.near_duplicates import CropHashes, hash_crops
    from harness.utils.progress import Progress

    with suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as kept:
        return CropHashes(tuple(kept["names"].tolist()), kept["ends"], kept["hashes"], kept["shows"])
    with Progress("looking for identical crops", unit="sequence") as progress:
        hashes = hash_crops(dataset, progress)
    with atomic_write(path) as aside, open(aside, "wb") as file:
        np.savez(
            file,
            names=np.array(hashes.names, dtype=np.str_),
            ends=hashes.ends,
            hashes=hashes.hashes,
            shows=hashes.shows,
        )
    return hashes


def _write_pairs(path: Path, pairs: list[NearDuplicate]) -> None:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows((pair.split, pair.image, pair.training_image, "+".join(pair.tasks)) for pair in pairs)
    write_text(path, text.getvalue())


def _read_pairs(path: Path) -> list[NearDuplicate]:
    from harness.data.near_duplicates import NearDuplicate

    with open(path, encoding="utf-8", newline="") as file:
        return [
            NearDuplicate(row["split"], row["image"], row["training_image"], tuple(row["tasks"].split("+")))
            for row in csv.DictReader(file)
        ]
