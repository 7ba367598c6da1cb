"""The slice of units held out for choosing: epochs, thresholds, windows, hyperparameters."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.errors import InputError


def held_out(units: Sequence[str], groups: Sequence[str], fraction: float, seed: int) -> np.ndarray:
    """bool [V]: the units held out, nearest to `fraction` of them, whole groups, at least one on each side.

    units, groups: V names each. A pure function of the seed and the names, whatever their order: groups are taken in
    the order of a hash of (seed, name). InputError when no such split exists.
    """
    if len(units) != len(groups):
        raise InputError(f"{len(units)} units but {len(groups)} groups; every unit belongs to one group")
    if not 0 < fraction < 1:
        raise InputError(f"the held-out fraction lies between 0 and 1, both excluded; got {fraction}")
    sizes = Counter(groups)
    if len(sizes) < 2:
        raise InputError(f"cannot hold out a part of {len(units)} units in {len(sizes)} group: two groups of videos or "
                         "subjects are needed; add data or use the protocol 'published'")
    ordered = sorted(sizes, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    held = np.cumsum([sizes[name] for name in ordered[:-1]])
    taken = int(np.abs(held - fraction * len(units)).argmin()) + 1
    chosen = set(ordered[:taken])
    return np.array([group in chosen for group in groups])
