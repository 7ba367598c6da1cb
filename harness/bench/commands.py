"""Benchmarks of commands: `framelight --help`, and `framelight leaderboard` with 2,000 tracked records."""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.bench.figure import ROUNDS, Measurement, median_seconds
from harness.jobs.job_folder import JobFolder
from harness.metrics.tasks import EXPRESSIONS, TASKS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking import open_tracker
from harness.tracking.records import Record
from harness.utils.store import Store

logger = logging.getLogger(__name__)

RUNS, SEEDS, VIDEOS, FRAMES = 2000, 5, 70, 4000


def measure_leaderboard() -> Iterator[Measurement]:
    """Time `framelight leaderboard` with cached intervals and tests; the note has the time without the cache."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        logger.info(f"tracking {RUNS} records")
        tracker = open_tracker(store)
        study = tracker.start_study("bench", "bench")
        for record in _make_records():
            tracker.log_record(record, None, study)
        _write_statistics(store)
        command = [sys.executable, "-m", "harness.cli", "leaderboard", "--store", folder]

        def time_leaderboard() -> float:
            return median_seconds(lambda: subprocess.run(command, check=True, capture_output=True))

        first, again = time_leaderboard(), [time_leaderboard() for _ in range(ROUNDS)]
        yield Measurement(
            "leaderboard",
            f"framelight leaderboard: {RUNS // SEEDS} rows of {SEEDS} seeds ({RUNS:,} records)",
            statistics.median(again),
            "s",
            limit=3.0,
            note=f"with cached intervals and paired tests. The first call, which has to compute them for "
            f"all {RUNS // SEEDS} rows, takes {first:.1f} s; `framelight run` computes them for its runs when it ends",
        )


def _write_statistics(store: Store) -> None:
    """Write per-video confusion counts for each record, sampled with the record's `P_EXPR` as accuracy."""
    random = np.random.default_rng(0)
    truth = random.integers(0, FRAMES // 4, (VIDEOS, len(EXPRESSIONS)))
    for record in _make_records():
        right = random.binomial(truth, record.metrics["P_EXPR"])
        wrong = random.multinomial(truth - right, np.full(len(EXPRESSIONS), 1 / len(EXPRESSIONS)))
        counts = wrong + np.eye(len(EXPRESSIONS), dtype=np.int64) * right[..., None]
        folder = JobFolder(store.job(record.job_id))
        folder.path.mkdir(parents=True)
        folder.write_statistics(list(map(str, range(VIDEOS))), SufficientStatistics("expr", {"expr": counts}))


def _make_records() -> Iterator[Record]:
    random = np.random.default_rng(0)
    for number in range(RUNS):
        group, seed = divmod(number, SEEDS)
        metrics = {f"F1/{name}": float(random.random()) for name in TASKS["expr"].columns}
        metrics["P_EXPR"] = float(np.mean(list(metrics.values())))
        yield Record(
            job_id=f"{group:012x}-s{seed}",
            group_id=f"{group:012x}",
            kind="run",
            task="expr",
            dataset="bench",
            data_digest="0" * 12,
            split="validation",
            protocol="held-out",
            metric="P_EXPR",
            seed=seed,
            expected_seeds=tuple(range(SEEDS)),
            backbone=f"backbone{group % 20}",
            features="embeddings",
            head="mlp",
            kernel="mean",
            radius=7,
            metrics=metrics,
            coverage=1.0,
            annotated=280_000,
            scored=280_000,
            units=VIDEOS,
        )


def measure_startup() -> Iterator[Measurement]:
    """Time `framelight --help` in a new process."""
    command = [sys.executable, "-m", "harness.cli", "--help"]
    bare = [sys.executable, "-c", "pass"]

    def time_command(arguments: list[str]) -> float:
        return median_seconds(lambda: subprocess.run(arguments, check=True, capture_output=True), ROUNDS)

    yield Measurement(
        "startup",
        "framelight --help in a new process",
        time_command(command),
        "s",
        limit=0.5,
        floor=time_command(bare),
        note="the lower bound is an interpreter that does nothing",
    )
