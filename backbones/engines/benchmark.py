"""How fast engines are, run as extraction runs them."""

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
    """Worker threads of one core each, as extraction has them, for as long as the context lasts."""

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
        """Crops a second when every worker (one alone where the engine is not concurrent) calls it that often."""
        callers = self.workers if engine.concurrent else 1

        def call_engine() -> None:
            for _ in range(calls):
                engine(pixels)

        began = time.perf_counter()
        for done in [self.pool.submit(call_engine) for _ in range(callers)]:
            done.result()
        return len(pixels) * calls * callers / (time.perf_counter() - began)


def measure_throughput(  # noqa: PLR0913 - keyword settings of a measurement
    engines: Mapping[str, Engine],
    pixels: np.ndarray,
    workers: int,
    rounds: int = ROUNDS,
    seconds: float = TURN_SECONDS,
    keep: float = 0.0,
    limit: float = math.inf,
) -> dict[str, tuple[float, ...]]:
    """Crops a second of each engine in each round, on one batch float32 [N, 3, S, S].

    The engines take turns, in every second round in reverse order; `seconds`: about what one turn takes, if one batch
    a worker does not take longer. A turn before, which warms up and sets the number of batches, does not count.
    keep: an engine that reaches less than that share of the fastest in the first round takes no further turns.
    limit: seconds after which no round begins, once there were FEWEST_ROUNDS.
    """
    found: dict[str, list[float]] = {name: [] for name in engines}
    with BenchmarkThreadPool(workers) as pool:
        calls = {name: _calls_per_turn(pool, engine, pixels, seconds) for name, engine in engines.items()}
        began = time.perf_counter()
        for turn in range(rounds):
            if turn >= MIN_ROUNDS and time.perf_counter() - began > limit:
                break
            best = max((values[0] for values in found.values() if values), default=0.0) if turn else 0.0
            for name in list(engines)[:: -1 if turn % 2 else 1]:
                if turn == 0 or found[name][0] >= keep * best:
                    found[name].append(pool.throughput(engines[name], pixels, calls[name]))
    return {name: tuple(values) for name, values in found.items()}


def _calls_per_turn(pool: BenchmarkThreadPool, engine: Engine, pixels: np.ndarray, seconds: float) -> int:
    """Batches a worker in one turn."""
    crops = len(pixels) * pool.workers
    once = crops / pool.throughput(engine, pixels, 1)
    if once > seconds:
        return 1
    return int(np.clip(round(seconds * pool.throughput(engine, pixels, 2) / crops), 1, MAX_CALLS))
