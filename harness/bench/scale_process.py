"""Process that runs a job on N frames of features and prints its times and peak memory as JSON.

Usage: `python -m harness.bench.scale_process FOLDER FRAMES`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from harness.data.dataset import Labels
from harness.features.matrix import FeatureMatrix
from harness.features.store import FeatureStore
from harness.jobs.head_model import HeadModel, NetworkSpec
from harness.jobs.job_folder import HEAD_NAME, JobFolder
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.runner.executors import THREADS_PER_JOB
from harness.tracking import open_tracker
from harness.tracking.records import Record
from harness.training.heads.config import HeadConfig
from harness.training.heads.train import HeadTrainingSpec, train_head
from harness.utils.process_memory import resident_bytes
from harness.utils.store import Store

SEQUENCE, WIDTH = 5_000, 1280
"""Frames per video (about the average of Aff-Wild2), and features per frame."""
RADII = range(51)
TASK, HEAD = TASKS["expr"], HeadConfig("logistic_regression", hidden=0, epochs=1, batch_size=512)


def entry_key(frames: int) -> str:
    """Return the key under which the features of `frames` frames are stored."""
    return f"scale{frames}"


def sequence_names(frames: int) -> list[str]:
    """Return the names of the videos that have `frames` frames together."""
    return [f"video{i:04}" for i in range(frames // SEQUENCE)]


def main(folder: Path, frames: int) -> dict[str, object]:
    """Run the job.

    Returns
    -------
    dict
        `seconds` is the time of each part. `peak_bytes` is the peak of resident memory, including libraries and mapped
        pages.
    """
    torch.set_num_threads(THREADS_PER_JOB)
    import harness.training.lightning_module  # noqa: F401 - its import time must not be part of the measured time

    store = Store(folder)
    tracker = open_tracker(store)
    entry, labels = FeatureStore(store.features).entry(entry_key(frames)), _make_labels(frames)
    seconds: dict[str, float] = {}
    with _record_time(seconds, "head"):
        matrix = FeatureMatrix(entry, "embeddings", labels)
        trained = train_head(TASK, HeadTrainingSpec(HEAD), (matrix, labels), None, 0)
    with _record_time(seconds, "predictions"):
        model = HeadModel(TASK, entry, [NetworkSpec(HEAD_NAME, TASK, "embeddings", HEAD)], {HEAD_NAME: trained}, {})
        predictions = model.predict(list(entry.sequences))
    with _record_time(seconds, "smoothing and scores"):
        replay = Replay(TASK, predictions, labels, temporal=True)
        curve = replay.metric_curve("mean", RADII, 0.5)
        statistics = replay.statistics("mean", int(np.argmax(curve)), 0.5)
    with _record_time(seconds, "record"):
        _save(folder / "jobs" / entry_key(frames), predictions, replay, statistics)
        tracker.log_record(
            _make_record(frames, replay, statistics, curve),
            folder / "jobs" / entry_key(frames),
            tracker.start_study("scale", "scale"),
        )
    return {"seconds": seconds, "peak_bytes": resident_bytes(peak=True)}


@contextmanager
def _record_time(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - began


def _make_labels(frames: int) -> Labels:
    """Make a label for every frame, with one random class for each 50 consecutive frames."""
    names, random = tuple(sequence_names(frames)), np.random.default_rng(0)
    video = np.repeat(np.arange(len(names), dtype=np.int32), SEQUENCE)
    target = np.repeat(random.integers(0, TASK.width, frames // 50), 50)
    return Labels(
        names,
        video,
        np.tile(np.arange(1, SEQUENCE + 1, dtype=np.int32), len(names)),
        names,
        video,
        names,
        {"expr": target},
    )


def _save(folder: Path, predictions: Predictions, replay: Replay, statistics: SufficientStatistics) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    predictions.save(JobFolder(folder).reported)
    JobFolder(folder).write_statistics(replay.units, statistics)


def _make_record(frames: int, replay: Replay, statistics: SufficientStatistics, curve: list[float]) -> Record:
    return Record(
        job_id=f"{entry_key(frames)}-s0",
        group_id=entry_key(frames),
        kind="run",
        task=TASK.name,
        dataset="scale",
        data_digest=entry_key(frames),
        split="validation",
        protocol="held-out",
        metric=TASK.metric,
        seed=0,
        expected_seeds=(0,),
        backbone="random",
        features="embeddings",
        head=HEAD.kind,
        kernel="mean",
        radius=int(np.argmax(curve)),
        metrics=dict(score(statistics).metrics),
        coverage=replay.coverage,
        annotated=replay.annotated,
        scored=replay.scored,
        units=len(replay.units),
        curve={"mean": {"radius": list(RADII), "reported": curve}},
    )


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201 - the parent parses standard output
