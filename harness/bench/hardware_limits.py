"""The machine's two ceilings: how fast it copies memory, and how fast it multiplies matrices of float32."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from harness.utils.parallel import torch_threads

COPIED_BYTES = 256 << 20
MATRIX_SIZE = 2048
TRIES = 5


@dataclass(frozen=True)
class HardwareLimits:
    """The best of some tries, with one thread and with one thread a core.

    copy_bytes_per_s: bytes read plus bytes written, of blocks larger than any cache. flops_per_s: multiplications plus
    additions of a product of two square float32 matrices.
    """

    cores: int
    copy_bytes_per_s_one: float
    copy_bytes_per_s: float
    flops_per_s_one: float
    flops_per_s: float

    def roofline_seconds(self, moved: float = 0.0, flops: float = 0.0, threads: int | None = None) -> float:
        """The least seconds in which `moved` bytes are read or written and `flops` are done, the one behind the other.

        threads: 1 for work on one core; None for work on all.
        """
        one = threads == 1
        return max(
            moved / (self.copy_bytes_per_s_one if one else self.copy_bytes_per_s),
            flops / (self.flops_per_s_one if one else self.flops_per_s),
        )


@cache
def hardware_limits() -> HardwareLimits:
    """The ceilings of this machine, measured once per process in about two seconds."""
    cores = os.cpu_count() or 1
    return HardwareLimits(
        cores,
        _measure_copy_bandwidth(1),
        _measure_copy_bandwidth(cores),
        _measure_matmul_flops(1),
        _measure_matmul_flops(cores),
    )


def _measure_copy_bandwidth(threads: int) -> float:
    import numpy as np

    source = np.ones(COPIED_BYTES // 8)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads)))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * COPIED_BYTES / _min_seconds(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))


def _measure_matmul_flops(threads: int) -> float:
    import torch

    left = torch.ones(MATRIX_SIZE, MATRIX_SIZE)
    right = left.clone()
    product = torch.empty(MATRIX_SIZE, MATRIX_SIZE)
    with torch_threads(threads):
        return 2 * MATRIX_SIZE**3 / _min_seconds(lambda: torch.mm(left, right, out=product))


def _min_seconds(work: Callable[[], object]) -> float:
    """The least seconds of some tries, the first of which is not counted."""
    taken = []
    for _ in range(TRIES + 1):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])
