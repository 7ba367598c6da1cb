"""Random division of units into a held-out part and the rest, or into folds, stratified by traits.

Units are videos or subjects; all units of a group are in the same part. Stratification gives each part a similar share
of each trait, such as an expression. The assignment depends on the seed and on the names, sizes and labels of the
groups, not on the order of the units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from harness.utils.errors import InputError
from harness.utils.names import name_bytes

MAX_RARE_GROUPS = 200
"""A trait is not stratified while more unassigned groups than this have it; their random assignment suffices."""


def stratified_group_split(
    units: Sequence[str], groups: Sequence[str], fraction: float, seed: int, presence: np.ndarray | None = None
) -> np.ndarray:
    """Select units to hold out, as whole groups and stratified by traits.

    Parameters
    ----------
    units : sequence of str
        Names of V units.
    groups : sequence of str
        Group of each unit; a group is not divided.
    fraction : float
        Share of the units to hold out, between 0 and 1, both excluded. The held-out share is about as close
        to this as the groups allow; each part has at least one group.
    seed : int
    presence : int array of shape (V, K), optional
        Count of each of K traits in each unit, such as the number of the unit's rows of each class. About `fraction` of
        each trait is held out. Groups with rare traits are assigned first, so that both parts have these traits if
        possible.

    Returns
    -------
    bool array of shape (V,)
        True for held-out units.

    Raises
    ------
    InputError
        If there are fewer than two groups, `fraction` is out of range, or `units` and `groups` differ in length.
    """
    if not 0 < fraction < 1:
        raise InputError(f"the held-out fraction is {fraction}; it must be between 0 and 1, both excluded")
    names, group = _index_groups(units, groups)
    if len(names) < 2:
        raise InputError(
            f"cannot hold out a part of {len(units)} units in {len(names)} group: at least two groups of videos or "
            "subjects are needed; add data or use the protocol 'published'"
        )
    return _assign_parts(names, group, np.array([fraction, 1 - fraction]), seed, presence)[group] == 0


def stratified_group_kfold(
    units: Sequence[str], groups: Sequence[str], presence: np.ndarray | None, k: int, seed: int
) -> np.ndarray:
    """Assign units to folds of about equal size, as whole groups and stratified by traits.

    Parameters
    ----------
    units, groups, presence, seed
        See `stratified_group_split`.
    k : int
        Number of folds.

    Returns
    -------
    int64 array of shape (V,)
        Fold of each unit, 0 to k - 1; no fold is empty.

    Raises
    ------
    InputError
        If k is less than 2, there are fewer than k groups, or `units` and `groups` differ in length.
    """
    names, group = _index_groups(units, groups)
    if not 2 <= k <= len(names):
        raise InputError(
            f"cannot make {k} folds of {len(units)} units in {len(names)} groups: at least 2 folds, and one "
            "group of videos or subjects for each, are needed; change --set protocol.folds, or add data"
        )
    return _assign_parts(names, group, np.full(k, 1 / k), seed, presence)[group]


def _index_groups(units: Sequence[str], groups: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the sorted names of the groups, and the index of each unit's group."""
    if len(units) != len(groups):
        raise InputError(f"{len(units)} units but {len(groups)} groups; name one group for each unit")
    names = sorted(set(groups))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[name] for name in groups], dtype=np.int64)


def _assign_parts(
    names: list[str], group: np.ndarray, shares: np.ndarray, seed: int, presence: np.ndarray | None
) -> np.ndarray:
    """Return the part of each group; each part has about its share of the units."""
    order = np.array(sorted(range(len(names)), key=lambda i: hashlib.sha256(name_bytes(f"{seed}:{names[i]}")).digest()))
    sizes = np.bincount(group, minlength=len(names))
    part = np.full(len(names), -1)
    if presence is not None:
        counts = np.zeros((len(names), np.shape(presence)[1]), np.int64)
        np.add.at(counts, group, presence)
        part[order] = _IterativeStratifier(counts[order], sizes[order], shares).assign()
    _assign_remaining(part, order, sizes, shares)
    return part


def _assign_remaining(part: np.ndarray, order: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> None:
    """Assign the remaining groups in order, in place, so that parts are near their shares and none is empty."""
    assigned = np.bincount(part[part >= 0], sizes[part >= 0], minlength=len(shares))
    ends = np.cumsum(np.maximum(shares * sizes.sum() - assigned, 0))
    remaining = order[part[order] < 0]
    middles = np.cumsum(sizes[remaining]) - sizes[remaining] / 2
    part[remaining] = np.minimum(np.searchsorted(ends, middles, side="right"), len(shares) - 1)
    for empty in range(len(shares)):
        if not (part == empty).any():
            largest = order[part[order] == np.bincount(part, minlength=len(shares)).argmax()]
            part[largest[0 if empty == 0 else -1]] = empty


class _IterativeStratifier:
    """Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) of G groups by the counts of K traits.

    The trait that the fewest unassigned groups have is handled first. Its groups are assigned one by one, the groups
    with the largest counts first. Each group goes to the part that lacks most of the trait, with two exceptions: a part
    that might otherwise never get one of the group's traits is preferred, and full parts are avoided.
    """

    def __init__(self, counts: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> None:
        self.counts, self.sizes = counts, sizes
        self.lacking = shares[:, None] * counts.sum(axis=0)
        self.room = shares * sizes.sum()
        self.without = np.ones(self.lacking.shape, bool)
        self.unassigned = (counts > 0).sum(axis=0)
        self.part = np.full(len(counts), -1)

    def assign(self) -> np.ndarray:
        """Return the part of each group, int64 (G,); -1 for groups that have no stratified trait."""
        while (rare := np.flatnonzero((self.unassigned > 0) & (self.unassigned <= MAX_RARE_GROUPS))).size:
            trait = rare[self.unassigned[rare].argmin()]
            groups = np.flatnonzero((self.counts[:, trait] > 0) & (self.part < 0))
            magnitude = np.floor(np.log2(self.counts[groups, trait]))
            for group in groups[np.argsort(-magnitude, kind="stable")]:
                self._assign_group(group, trait)
        return self.part

    def _assign_group(self, group: int, trait: int) -> None:
        has_trait = self.counts[group] > 0
        scarce = self.without & has_trait & (self.unassigned <= self.without.sum(axis=0))
        ranks = (self.room, self.lacking[:, trait], self.room > self.sizes[group] / 2, scarce.sum(axis=1))
        best = int(np.lexsort(ranks)[-1])
        self.part[group] = best
        self.lacking[best] -= self.counts[group]
        self.room[best] -= self.sizes[group]
        self.without[best] &= ~has_trait
        self.unassigned[has_trait] -= 1
