"""Benchmark of training a backbone, alone and under load, with OpenMP threads that wait passively or actively.

Actively waiting threads, the default of OpenMP, keep their processor busy; passively waiting threads soon give it up.

Usage of the measured process: `python -m harness.bench.loaded_training FOLDER`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbones.processors import available_processors
from harness.bench.figure import Measurement
from harness.utils.errors import FramelightError
from harness.utils.parallel import run_module_in_subprocess
from harness.utils.process_environment import PASSIVE_WAITING

IMAGES, IDENTITIES, EPOCHS, ROUNDS = 160, 8, 2, 3
PROCESSES_PER_CORE = 3
"""Number of processes that keep each core busy when training is measured under load."""
BUSY = "while True: pass"
LEAST_RATIO = {"alone": 0.9, "under load": 2.0}


def measure() -> Iterator[Measurement]:
    """Compare passive with active waiting, without additional load and under load."""
    from harness.data.synthetic import make_stills

    cores = available_processors()
    with tempfile.TemporaryDirectory() as temp_dir:
        folder = Path(temp_dir, "stills")
        make_stills(folder, images=IMAGES, identities=IDENTITIES, workers=cores)
        for name, processes in (("alone", 0), ("under load", PROCESSES_PER_CORE * cores)):
            load = _load_average()
            with _busy_processes(processes):
                ours, reference = _interleave(folder)
            others = f"{processes} other processes computing" if processes else "no other process started"
            time = statistics.median(ours)
            yield Measurement(
                f"training {name}",
                f"tiny_resnet on {IMAGES} images, two threads, {others}: {1e3 / time:.0f} images per second",
                time,
                "ms per image",
                "OpenMP's default: threads that wait actively",
                statistics.median(reference),
                statistics.median(base / own for own, base in zip(ours, reference)),
                LEAST_RATIO[name],
                note=f"load average {load} before it began" if load else "",
            )


def _load_average() -> str:
    """Return the load average of the last minute; "" on Windows."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def _interleave(folder: Path) -> tuple[list[float], list[float]]:
    """Measure both ways of waiting in turn; return milliseconds per image of each round, passive waiting first."""
    default = {name: value for name, value in os.environ.items() if name not in PASSIVE_WAITING}
    environments = ({**default, **PASSIVE_WAITING}, default)
    times: tuple[list[float], list[float]] = ([], [])
    for round in range(ROUNDS):
        for index in (0, 1) if round % 2 else (1, 0):
            times[index].append(_measure_in_process(folder, environments[index]))
    return times


def _measure_in_process(folder: Path, environment: dict[str, str]) -> float:
    process = run_module_in_subprocess("harness.bench.loaded_training", folder, environment=environment)
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"the training could not be measured ({last})")
    return float(json.loads(process.stdout.splitlines()[-1]))


@contextmanager
def _busy_processes(number: int) -> Iterator[None]:
    """Keep a number of processes computing while the context lasts."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(folder: Path) -> float:
    """Train in this process and return the milliseconds per image of the last epoch."""
    from harness.data.image_table import ImageTable
    from harness.training.backbones.config import Hardware, StillsConfig
    from harness.training.backbones.stage_config import Expressions, Schedule
    from harness.training.backbones.train import train_stills

    rates: list[float] = []
    config = StillsConfig("tiny_resnet@random", None, Expressions(Schedule(EPOCHS, warmup=0.0)))
    with tempfile.TemporaryDirectory() as temp_dir:
        train_stills(
            config,
            ImageTable(folder).stills("train"),
            None,
            Path(temp_dir, "backbone"),
            hardware=Hardware("cpu"),
            on_epoch=lambda stage, epoch, metrics: rates.append(metrics["images_per_second"]),
        )
    return 1e3 / rates[-1]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201 - the parent process parses standard output
