"""The features of the random baseline: columns that know which frame they belong to and nothing of its image."""

from __future__ import annotations

import hashlib

import numpy as np

NOISE_WIDTH = 64


def noise(sequence: str, frames: np.ndarray) -> np.ndarray:
    """float32 [B, 64] standard normal: a pure function of the sequence's name and the frame number of each row.

    Counter-based (SplitMix64 of name, frame and column; then Box and Muller 1958), so that any row can be made alone.
    """
    name = np.uint64(int.from_bytes(hashlib.sha256(sequence.encode()).digest()[:8], "little"))
    with np.errstate(over="ignore"):
        rows = _mix(np.asarray(frames).astype(np.uint64) ^ name)[:, None]
        bits = _mix(rows + np.arange(1, NOISE_WIDTH + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.split(uniform, 2, axis=1)
    radius, angle = np.sqrt(-2 * np.log(radius)), 2 * np.pi * angle
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)


def _mix(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
