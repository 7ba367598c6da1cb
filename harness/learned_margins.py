"""The margin of the crops of a data set, by its digest: measured once for a detector, and remembered in the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.data import locations
from harness.utils.errors import FramelightError
from harness.utils.files import write_json

if TYPE_CHECKING:
    from harness.video.faces.boxes import Margin
    from harness.video.faces.detector import Detector

FILE = "margins.json"


def margin_of_data(images: str, detector: Detector, store: Path, say: Callable[[str], None]) -> Margin | None:
    """That of the data set with this digest, where it still lies where it was."""
    from harness.faces.margins import margin_of
    from harness.video.faces.boxes import Margin

    if not images:
        return None
    path, key = store / "features" / FILE, f"{images}, {detector.identity}"
    known = _known(path)
    if key not in known:
        crops = _crops(images, store)
        if not crops:
            return None
        say("looking at the crops that the run learned from, for their margin")
        margin = margin_of(crops, detector)
        known = {**_known(path), key: None if margin is None else [margin.scale, margin.dx, margin.dy]}
        write_json(path, known)
    return None if known[key] is None else Margin(*known[key])


def _crops(images: str, store: Path) -> list[np.ndarray]:
    """As many as are looked at, over all sequences of the data set; empty where it is gone or has changed."""
    from harness.data.fingerprint import dataset_digest
    from harness.data.image_decoding import CorruptImage, decode
    from harness.data.registry import open_dataset
    from harness.faces.margins import MOST

    root = locations.recall(store, images)
    try:
        dataset = None if root is None else open_dataset(root)
        if dataset is None or dataset_digest(dataset, store / "features" / "digests.json") != images:
            return []
    except (FramelightError, OSError):
        return []
    names = [name for name in sorted(dataset.sequences) if len(dataset.sequences[name].images)]
    each = -(-MOST // max(len(names), 1))
    crops = []
    for path in _spread([path for name in names for path in _spread(dataset.sequences[name].images, each)], MOST):
        try:
            crops.append(decode(path))
        except CorruptImage:
            continue
    return crops


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    """All of them, or so many at even distances, the first and the last among them."""
    return [paths[at] for at in np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)]


def _known(path: Path) -> dict[str, list[float] | None]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
