"""Measure how often 95% intervals cover the population value, on simulated evaluation sets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from harness.bench.simulated_sets import Population, population_values, simulate
from harness.metrics.intervals import confidence_intervals
from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.text import markdown_table, ruled_table

logger = logging.getLogger(__name__)

VIDEOS, SEEDS, SETS = (12, 30, 70, 105), (1, 5), 1000
METRICS = ("P_EXPR", "P_VA", "P_AU", "P_MTL")
COLUMNS = ("classes", "seeds", "videos", *METRICS)


@dataclass(frozen=True)
class Coverage:
    """Coverage and width of the intervals of one metric on simulated sets of one kind.

    Attributes
    ----------
    metric : str
    rare : bool
        Whether some classes are rare; see `harness.bench.simulated_sets.Population`.
    seeds, videos, sets : int
        Number of trainings per set, number of videos per set, and number of sets.
    coverage : float
        Share of the intervals that contain the population value.
    width : float
        Mean width of the intervals.
    bias, corrected_bias : float
        By how much the mean score, and the mean score corrected for bias, exceed the population value.
    """

    metric: str
    rare: bool
    seeds: int
    videos: int
    sets: int
    coverage: float
    width: float
    bias: float
    corrected_bias: float


def measure_coverage(
    videos: Sequence[int] = VIDEOS, seeds: Sequence[int] = SEEDS, sets: int = SETS, first: int = 0
) -> Iterator[Coverage]:
    """Simulate sets with common and with rare classes, and compute the coverage of their intervals.

    Parameters
    ----------
    videos, seeds : sequence of int, optional
        Numbers of videos, and of trainings, per set; all combinations are simulated.
    sets : int, default=1000
        Number of sets of each kind.
    first : int, default=0
        Number of the first set; the random seed of each set is derived from its number.

    Yields
    ------
    Coverage
        One result for each combination of rarity, number of seeds, number of videos and metric.
    """
    for rare, trainings in product((False, True), seeds):
        population = Population(rare=rare)
        truth = population_values(population, trainings)
        for count in videos:
            made = [
                simulate(population, np.random.default_rng([i, count, trainings]), count, trainings)
                for i in range(first, first + sets)
            ]
            yield from _summarize(made, truth, {"rare": rare, "seeds": trainings, "videos": count, "sets": sets})


def measure_rows() -> Iterator[Coverage]:
    """Yield and log the results of `measure_coverage`."""
    for row in measure_coverage():
        logger.info(format_coverage(row))
        yield row


def _summarize(
    made: Sequence[list[SufficientStatistics]], truth: Mapping[str, float], kind: dict[str, Any]
) -> Iterator[Coverage]:
    intervals = [confidence_intervals(seeds, METRICS) for seeds in made]
    values = [[score(each).metrics for each in seeds] for seeds in made]
    for metric in METRICS:
        low, high, corrected = np.array(
            [[each[metric].low, each[metric].high, each[metric].corrected] for each in intervals], dtype=np.float64
        ).T
        value = np.array([np.mean([each[metric] for each in seeds]) for seeds in values])
        yield Coverage(
            metric,
            **kind,
            coverage=float(np.mean((low <= truth[metric]) & (truth[metric] <= high))),
            width=float(np.mean(high - low)),
            bias=float(np.mean(value) - truth[metric]),
            corrected_bias=float(np.mean(corrected) - truth[metric]),
        )


def render(rows: list[Coverage], form: str = "table") -> str:
    """Format coverage and mean width as a table, Markdown or JSON."""
    if form == "json":
        return json.dumps([asdict(row) for row in rows], indent=1)
    cells = {(row.rare, row.seeds, row.videos, row.metric): row for row in rows}
    lines = [
        (
            "rare" if rare else "common",
            str(seeds),
            str(videos),
            *(_format_cell(cells.get((rare, seeds, videos, metric))) for metric in METRICS),
        )
        for rare, seeds, videos in dict.fromkeys((row.rare, row.seeds, row.videos) for row in rows)
    ]
    note = f"Share of 95% intervals that cover the population value, and their mean width; {rows[0].sets:,} sets each."
    if form == "md":
        return f"{markdown_table(COLUMNS, lines, right=(1, 2))}\n\n{note}"
    return "\n".join([*ruled_table([COLUMNS, *lines], left=1), note])


def format_coverage(row: Coverage) -> str:
    """Format one result as a line."""
    classes = "rare" if row.rare else "common"
    return f"{row.metric}, {row.videos} videos, {row.seeds} seeds, {classes} classes: coverage {row.coverage:.3f}"


def _format_cell(row: Coverage | None) -> str:
    return "-" if row is None else f"{row.coverage:.3f} ({row.width:.2f})"
