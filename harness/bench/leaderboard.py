"""`framelight leaderboard` over 500 tracked runs, as a whole process: with its evidence at hand, and the first time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from harness.bench.figure import Figure, seconds
from harness.records import Record
from harness.tasks import EXPRESSIONS, TASKS
from harness.tracking import open_tracker

RUNS, SEEDS, VIDEOS, FRAMES = 500, 5, 70, 4000

_NAIVE = """
import sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
ids = [e.experiment_id for e in client.search_experiments()]
for run in client.search_runs(ids, max_results=10000):
    full = client.get_run(run.info.run_id)
    [client.get_metric_history(run.info.run_id, name) for name in list(full.data.metrics)[:1]]
"""


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        say(f"tracking {RUNS} records")
        tracker = open_tracker(store)
        study = tracker.study("bench", "bench")
        for record in _records():
            tracker.log(record, None, study)
        _keep_statistics(store)
        command = [sys.executable, "-m", "harness.cli", "leaderboard", "--store", folder]
        first = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
        ours = seconds(lambda: subprocess.run(command, check=True, capture_output=True), 3)
        naive = [sys.executable, "-c", _NAIVE, f"sqlite:///{store / 'mlflow.db'}"]
        rival = seconds(lambda: subprocess.run(naive, check=True, capture_output=True))
        yield Figure("leaderboard", f"framelight leaderboard, {RUNS} runs (tests new: {first:.1f} s)", ours, "s",
                     "MLflow's client, run by run", rival, rival / ours, limit=3.0)


def _keep_statistics(store: Path) -> None:
    """The counts per video that each job leaves, of runs that are more and less often right."""
    random = np.random.default_rng(0)
    truth = random.integers(0, FRAMES // 4, (VIDEOS, len(EXPRESSIONS)))
    for record in _records():
        right = random.binomial(truth, record.metrics["P_EXPR"])
        wrong = random.multinomial(truth - right, np.full(len(EXPRESSIONS), 1 / len(EXPRESSIONS)))
        counts = wrong + np.eye(len(EXPRESSIONS), dtype=np.int64) * right[..., None]
        folder = store / "artifacts" / "jobs" / record.job_id
        folder.mkdir(parents=True)
        np.savez_compressed(folder / "statistics.npz", units=np.arange(VIDEOS).astype(np.str_), expr=counts)


def _records() -> Iterator[Record]:
    random = np.random.default_rng(0)
    for number in range(RUNS):
        group, seed = divmod(number, SEEDS)
        metrics = {f"F1/{name}": float(random.random()) for name in TASKS["expr"].columns}
        metrics["P_EXPR"] = float(np.mean(list(metrics.values())))
        yield Record(job_id=f"{group:012x}-s{seed}", group_id=f"{group:012x}", kind="run", task="expr",
                     dataset="bench", data_digest="0" * 12, split="validation", protocol="held-out", metric="P_EXPR",
                     seed=seed, expected_seeds=tuple(range(SEEDS)), backbone=f"backbone{group % 20}",
                     features="embeddings", head="mlp", kernel="mean", radius=7, metrics=metrics, coverage=1.0,
                     annotated=280_000, scored=280_000,
                     units=VIDEOS)
