"""How fast engines are, run as extraction runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from backbones.engines.engine import Engine

ROUNDS = 5
ROUND_SECONDS, MOST_CALLS = 0.3, 200


class Crew:
    """Worker threads of one core each, as extraction has them, for as long as the context lasts."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> Crew:
        self.threads_before = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.workers, "measure", initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        torch.set_num_threads(self.threads_before)

    def rate(self, engine: Engine, pixels: np.ndarray, calls: int) -> float:
        """Crops a second when every worker (one alone where the engine is not concurrent) calls it that often."""
        callers = self.workers if engine.concurrent else 1

        def work() -> None:
            for _ in range(calls):
                engine(pixels)

        began = time.perf_counter()
        for done in [self.pool.submit(work) for _ in range(callers)]:
            done.result()
        return len(pixels) * calls * callers / (time.perf_counter() - began)


def rates(engines: Mapping[str, Engine], pixels: np.ndarray, workers: int, rounds: int = ROUNDS,
          seconds: float = ROUND_SECONDS) -> dict[str, tuple[float, ...]]:
    """Crops a second of each engine in each round, on one batch float32 [N, 3, S, S].

    The engines take turns, in every second round in reverse order; `seconds`: about what one turn takes, if one batch
    a worker does not take longer. A first turn that warms up and sets the number of batches does not count.
    """
    found: dict[str, list[float]] = {name: [] for name in engines}
    with Crew(workers) as crew:
        calls = {name: _calls(lambda count, engine=engine: crew.rate(engine, pixels, count), len(pixels), workers,
                              seconds) for name, engine in engines.items()}
        for turn in range(rounds):
            for name in list(engines)[::-1 if turn % 2 else 1]:
                found[name].append(crew.rate(engines[name], pixels, calls[name]))
    return {name: tuple(values) for name, values in found.items()}


def _calls(rate: Callable[[int], float], crops: int, workers: int, seconds: float) -> int:
    rate(1)
    return int(np.clip(round(seconds * rate(1) / (crops * workers)), 1, MOST_CALLS))
