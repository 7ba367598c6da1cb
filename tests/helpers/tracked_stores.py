"""Stores with tracked jobs whose statistics are simulated."""

import numpy as np

from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking import record_json
from tests.helpers.records import record
from tests.helpers.simulated_videos import GENERATORS

ROWS = {"expr": np.sum, "va": lambda moments: moments[:, 0, 0].sum(), "au": lambda counts: counts[:, 0].sum()}
VIDEOS = tuple(f"video{i:02}" for i in range(40))


def simulated(task, systems, seed=0, videos=40, **luck):
    """Statistics of systems of equal skill on the same videos."""
    return [
        SufficientStatistics(task, {task: one})
        for one in GENERATORS[task](np.random.default_rng(seed), videos, systems, **luck)
    ]


def better(statistics, share=0.4):
    """Of every confusion a share put right."""
    arrays = statistics.arrays["expr"]
    moved = (arrays * (1 - np.eye(8, dtype=np.int64)) * share).astype(np.int64)
    arrays = arrays - moved
    arrays[:, range(8), range(8)] += moved.sum(axis=2)
    return SufficientStatistics("expr", {"expr": arrays})


def put(store, group, seed, statistics, units=VIDEOS, **changes):
    """A finished job with its folder in a store, and its record."""
    found, metric = score(statistics), TASKS[statistics.task].metric
    rows = int(ROWS[statistics.task](statistics.arrays[statistics.task]))
    made = record(
        group,
        seed,
        **{
            **dict(
                task=statistics.task,
                metric=metric,
                metrics=found.metrics,
                undefined=found.undefined,
                units=len(units),
                unsmoothed={metric: found.metrics[metric]},
                selection={metric: found.metrics[metric]},
                coverage=1.0,
                annotated=rows,
                scored=rows,
            ),
            **changes,
        },
    )
    folder = store / "artifacts" / "jobs" / made.job_id
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "statistics.npz", units=np.array(units, dtype=np.str_), **statistics.arrays)
    record_json.write(folder / "record.json", made)
    return made
