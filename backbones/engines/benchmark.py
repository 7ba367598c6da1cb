"""Measure the throughput of engines under the conditions of feature extraction."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from backbones.engines.engine import Engine

ROUNDS, MIN_ROUNDS = 9, 3
TURN_SECONDS, MAX_CALLS = 0.15, 200


class BenchmarkThreadPool:
    """Context manager with worker threads that use one core each, as in feature extraction.

    Parameters
    ----------
    workers : int
        Number of threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> BenchmarkThreadPool:
        self.threads_before = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.workers, "measure", initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        torch.set_num_threads(self.threads_before)

    def throughput(self, engine: Engine, pixels: np.ndarray, calls: int) -> float:
        """Measure the throughput of an engine.

        Parameters
        ----------
        engine : Engine
            The engine, called by all workers at once if it is concurrent, else by one.
        pixels : ndarray
            One batch, float32 [N, 3, S, S].
        calls : int
            Number of calls per worker.

        Returns
        -------
        float
            Crops per second.
        """
        callers = self.workers if engine.concurrent else 1

        def call_engine() -> None:
            for _ in range(calls):
                engine(pixels)

        start = time.perf_counter()
        for future in [self.pool.submit(call_engine) for _ in range(callers)]:
            future.result()
        return len(pixels) * calls * callers / (time.perf_counter() - start)


def measure_throughput(  # noqa: PLR0913 - keyword settings of a measurement
    engines: Mapping[str, Engine],
    pixels: np.ndarray,
    workers: int,
    rounds: int = ROUNDS,
    seconds: float = TURN_SECONDS,
    keep: float = 0.0,
    limit: float = math.inf,
) -> dict[str, tuple[float, ...]]:
    """Measure the throughput of several engines in interleaved rounds.

    Each engine has one turn per round; every second round runs in reverse order. Before the first round, each engine
    warms up, which also determines the number of batches per turn.

    Parameters
    ----------
    engines : mapping of str to Engine
        The engines by name.
    pixels : ndarray
        One batch, float32 [N, 3, S, S].
    workers : int
        Number of threads that call concurrent engines.
    rounds : int
        Number of rounds.
    seconds : float
        Approximate duration of a turn; one batch per worker may take longer.
    keep : float
        An engine is dropped after the first round if its throughput is below this fraction of the highest.
    limit : float
        Seconds after which no further round starts, except the first `MIN_ROUNDS` rounds.

    Returns
    -------
    dict of str to tuple of float
        Crops per second of each engine in each round.
    """
    rates: dict[str, list[float]] = {name: [] for name in engines}
    with BenchmarkThreadPool(workers) as pool:
        calls = {name: _calls_per_turn(pool, engine, pixels, seconds) for name, engine in engines.items()}
        start = time.perf_counter()
        for turn in range(rounds):
            if turn >= MIN_ROUNDS and time.perf_counter() - start > limit:
                break
            best = max((values[0] for values in rates.values() if values), default=0.0) if turn else 0.0
            for name in list(engines)[:: -1 if turn % 2 else 1]:
                if turn == 0 or rates[name][0] >= keep * best:
                    rates[name].append(pool.throughput(engines[name], pixels, calls[name]))
    return {name: tuple(values) for name, values in rates.items()}


def _calls_per_turn(pool: BenchmarkThreadPool, engine: Engine, pixels: np.ndarray, seconds: float) -> int:
    """Return the number of batches per worker in one turn."""
    crops = len(pixels) * (pool.workers if engine.concurrent else 1)
    seconds_per_call = crops / pool.throughput(engine, pixels, 1)
    if seconds_per_call > seconds:
        return 1
    return int(np.clip(round(seconds * pool.throughput(engine, pixels, 2) / crops), 1, MAX_CALLS))
