"""Units divided at random into parts: slices held out for choosing, and folds.

Groups go whole into a part. Which one follows from a hash of (seed, name) and from what the units hold, never from
their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from harness.utils.errors import InputError

MAX_RARE_GROUPS = 200
"""What more groups than this hold is spread evenly by chance alone."""


def stratified_group_split(
    units: Sequence[str], groups: Sequence[str], fraction: float, seed: int, presence: np.ndarray | None = None
) -> np.ndarray:
    """Bool [V]: the units held out, nearest to `fraction` of them, whole groups, at least one on each side.

    units, groups: V names each. presence: int [V, K], how often a unit has each of K things, such as rows of a class;
    each is spread over both sides in proportion, and the rarer it is the surer it is on both. A pure function of the
    arguments, whatever the order of the units. InputError when no such split exists.
    """
    if not 0 < fraction < 1:
        raise InputError(f"the held-out fraction lies between 0 and 1, both excluded; got {fraction}")
    names, group = _index_groups(units, groups)
    if len(names) < 2:
        raise InputError(
            f"cannot hold out a part of {len(units)} units in {len(names)} group: two groups of videos or "
            "subjects are needed; add data or use the protocol 'published'"
        )
    return _assign_parts(names, group, np.array([fraction, 1 - fraction]), seed, presence)[group] == 0


def stratified_group_kfold(
    units: Sequence[str], groups: Sequence[str], presence: np.ndarray | None, k: int, seed: int
) -> np.ndarray:
    """int64 [V]: the fold of each unit, 0 to k - 1; whole groups, folds of about equal size, none empty.

    Parameters: see `stratified_group_split`. InputError for fewer than k groups.
    """
    names, group = _index_groups(units, groups)
    if not 2 <= k <= len(names):
        raise InputError(
            f"cannot make {k} folds of {len(units)} units in {len(names)} groups: at least 2 folds, and a "
            "group of videos or subjects for each; choose another --set protocol.folds, or add data"
        )
    return _assign_parts(names, group, np.full(k, 1 / k), seed, presence)[group]


def _index_groups(units: Sequence[str], groups: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names of the groups, and the number of each unit's."""
    if len(units) != len(groups):
        raise InputError(f"{len(units)} units but {len(groups)} groups; every unit belongs to one group")
    names = sorted(set(groups))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[name] for name in groups], dtype=np.int64)


def _assign_parts(
    names: list[str], group: np.ndarray, shares: np.ndarray, seed: int, presence: np.ndarray | None
) -> np.ndarray:
    """int64 [groups]: the part of each, parts being as large as their shares of the units."""
    order = np.array(sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}:{names[i]}".encode()).digest()))
    sizes = np.bincount(group, minlength=len(names))
    part = np.full(len(names), -1)
    if presence is not None:
        held = np.zeros((len(names), np.shape(presence)[1]), np.int64)
        np.add.at(held, group, presence)
        part[order] = _IterativeStratifier(held[order], sizes[order], shares).assign()
    _assign_remaining(part, order, sizes, shares)
    return part


def _assign_remaining(part: np.ndarray, order: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> None:
    """Deal out what has no part yet, in order, so that every part comes as near to its share as it can."""
    taken = np.bincount(part[part >= 0], sizes[part >= 0], minlength=len(shares))
    ends = np.cumsum(np.maximum(shares * sizes.sum() - taken, 0))
    left = order[part[order] < 0]
    middles = np.cumsum(sizes[left]) - sizes[left] / 2
    part[left] = np.minimum(np.searchsorted(ends, middles, side="right"), len(shares) - 1)
    for empty in range(len(shares)):
        if not (part == empty).any():
            largest = order[part[order] == np.bincount(part, minlength=len(shares)).argmax()]
            part[largest[0 if empty == 0 else -1]] = empty


class _IterativeStratifier:
    """Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) of G groups that hold K things in counts.

    The thing that the fewest undecided groups hold is dealt out first, large holdings before small ones, each group to
    the part that still lacks the most of it. A part that would otherwise have none of a thing goes first, a part that
    is full last.
    """

    def __init__(self, held: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> None:
        self.held, self.sizes = held, sizes
        self.lacking = shares[:, None] * held.sum(axis=0)
        self.room = shares * sizes.sum()
        self.without = np.ones(self.lacking.shape, bool)
        self.undecided = (held > 0).sum(axis=0)
        self.part = np.full(len(held), -1)

    def assign(self) -> np.ndarray:
        """int64 [G]; -1 for groups that hold nothing rare."""
        while (open_ := np.flatnonzero((self.undecided > 0) & (self.undecided <= MAX_RARE_GROUPS))).size:
            thing = open_[self.undecided[open_].argmin()]
            holders = np.flatnonzero((self.held[:, thing] > 0) & (self.part < 0))
            magnitude = np.floor(np.log2(self.held[holders, thing]))
            for holder in holders[np.argsort(-magnitude, kind="stable")]:
                self._assign_group(holder, thing)
        return self.part

    def _assign_group(self, group: int, thing: int) -> None:
        holds = self.held[group] > 0
        scarce = self.without & holds & (self.undecided <= self.without.sum(axis=0))
        ranks = (self.room, self.lacking[:, thing], self.room > self.sizes[group] / 2, scarce.sum(axis=1))
        best = int(np.lexsort(ranks)[-1])
        self.part[group] = best
        self.lacking[best] -= self.held[group]
        self.room[best] -= self.sizes[group]
        self.without[best] &= ~holds
        self.undecided[holds] -= 1
