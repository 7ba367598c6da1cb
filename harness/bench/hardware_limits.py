"""Measured limits of the hardware: memory bandwidth and the speed of float32 matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from backbones.processors import available_processors
from harness.utils.parallel import torch_threads

COPIED_BYTES = 256 << 20
MATRIX_SIZE = 2048
TRIES = 5


@dataclass(frozen=True)
class HardwareLimits:
    """Limits of the hardware, as the best of some tries.

    Attributes
    ----------
    cores : int
    copy_bytes_per_s_one, copy_bytes_per_s : float
        Bytes read plus bytes written per second when copying blocks larger than any cache, with one thread and with
        one thread per core.
    flops_per_s_one, flops_per_s : float
        Multiplications plus additions per second when multiplying two square float32 matrices, with one thread and
        with one thread per core.
    """

    cores: int
    copy_bytes_per_s_one: float
    copy_bytes_per_s: float
    flops_per_s_one: float
    flops_per_s: float

    def roofline_seconds(self, moved: float = 0.0, flops: float = 0.0, threads: int | None = None) -> float:
        """Compute a lower bound of the time of a workload, with memory access and arithmetic overlapped.

        Parameters
        ----------
        moved : float
            Bytes read or written.
        flops : float
            Floating-point operations.
        threads : int, optional
            1 for work on one core. Default: all cores.

        Returns
        -------
        float
            Seconds.
        """
        single = threads == 1
        return max(
            moved / (self.copy_bytes_per_s_one if single else self.copy_bytes_per_s),
            flops / (self.flops_per_s_one if single else self.flops_per_s),
        )


@cache
def hardware_limits() -> HardwareLimits:
    """Measure the limits of this machine, once per process, in about two seconds."""
    cores = available_processors()
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
    """Compute the minimum time over some tries after a warm-up."""
    elapsed = []
    for _ in range(TRIES + 1):
        began = time.perf_counter()
        work()
        elapsed.append(time.perf_counter() - began)
    return min(elapsed[1:])
