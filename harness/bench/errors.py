"""Error rate and power of the leaderboard's significance test, on simulated leaderboards with known true scores.

A simulated leaderboard is called a board.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from harness.bench.simulated_boards import SimulatedRows, simulate_board
from harness.metrics.best_comparisons import adjusted_p_values, compare_with_best, expected_luck
from harness.metrics.contributions import RowScores
from harness.metrics.pooled import PooledStatistics
from harness.metrics.sign_flips import SIGNIFICANCE_LEVEL, RowFlips
from harness.metrics.tasks import TASKS
from harness.utils.text import align_columns, markdown_table

ROWS = (2, 5, 12, 30, 60)
POWER_ROWS = (2, 5, 12, 30)
VIDEOS = (12, 70)
SIMULATIONS, LUCK_SIMULATIONS, POWER_SIMULATIONS = 800, 100, 200
TRIALS, TRIAL_SIMULATIONS = 2, 40
"""Number of rounds that bring the true difference close to the detectable difference, and number of boards per round.
"""
NEAR = (0.85, 1.15)
"""Multiples of the detectable difference at which the power is measured. In between, the power is interpolated."""
BEYOND = (-0.3, 1.3)
"""The power is reported only if the true difference equals the detectable difference at a position in this range.
Position 0 is the first multiple in `NEAR`, position 1 the second."""
MOVES = 3
"""Largest number of attempts to find one lead below the detectable difference and one above it."""
PARTS = 4
"""Largest number of smaller boards into which a simulated board is divided; their errors are nearly independent."""
DRAWS = 499
"""Number of random sign flips. Few are enough: the number does not affect a permutation test's error (Dwass 1957)."""
LEADS = {
    "expr": (0.0, 0.2, 0.4, 0.8, 1.2, 1.6, 2.4, 3.4),
    "va": (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8),
    "au": (0.0, 0.1, 0.2, 0.4, 0.8, 1.2, 1.8),
}
"""Simulated leads of the first row for each task. In between, the true difference is interpolated."""
POPULATION_VIDEOS = 20_000


@dataclass(frozen=True)
class ErrorRow:
    """Results for simulated boards of one kind.

    Attributes
    ----------
    task : str
    videos, rows : int
        Number of videos and number of rows per board.
    families : bool
        Whether rows come in families with similar errors.
    false_positives, margin : float
        Share of boards of equally good rows on which the test found some row worse than the best. The margin is half
        the width of the share's 95% confidence interval.
    luck, expected_luck : float
        Lead of the best of equally good rows over the mean of all rows: the observed lead, and the lead that
        `expected_luck` predicts. Both are means over boards.
    detectable : float or None
        Median over boards of the minimum detectable difference. The boards are simulated so that the true lead of the
        first row, averaged over sets of `videos` videos, equals this median. None if no such lead was found.
    power, power_margin : float or None
        Share of the other rows that the test finds worse than the first row, on the same boards. The margin is half
        the width of the share's 95% confidence interval.
    population_power : float or None
        Like `power`, but on boards where the true lead over very many videos equals the detectable difference.
    """

    task: str
    videos: int
    rows: int
    families: bool
    false_positives: float
    margin: float
    luck: float
    expected_luck: float
    detectable: float | None = None
    power: float | None = None
    power_margin: float | None = None
    population_power: float | None = None


def measure_rows(
    simulations: int = SIMULATIONS, power_simulations: int = POWER_SIMULATIONS, rows: Sequence[int] = ROWS
) -> Iterator[ErrorRow]:
    """Yield results for simulated boards of every kind; smaller boards are parts of larger ones."""
    for task in LEADS:
        for videos in VIDEOS:
            for found in measure_false_positives(task, videos, rows, simulations):
                with_power = power_simulations and found.rows in POWER_ROWS
                yield measure_power(found, power_simulations) if with_power else found
        yield from measure_false_positives(task, VIDEOS[-1], rows[2:4], simulations, families=True)


def measure_false_positives(
    task: str, videos: int, rows: Sequence[int], simulations: int, families: bool = False
) -> list[ErrorRow]:
    """Measure false positives on simulated boards of equally good rows; smaller boards are parts of the largest."""
    metric, worse = TASKS[task].metric, np.zeros((len(rows), simulations))
    lucks, expected = np.zeros(worse.shape), np.full(worse.shape, np.nan)
    for i in range(simulations):
        random = np.random.default_rng([int(families), i])
        board = simulate_board(task, random, videos, SimulatedRows(max(rows), families=families))
        for j, number in enumerate(rows):
            parts = [board[k : k + number] for k in range(0, len(board) - number + 1, number)][:PARTS]
            scores = [RowScores(part) for part in parts]
            values = [part.scores(metric) for part in scores]
            p = [adjusted_p_values(part, metric, DRAWS).min() for part in scores]
            worse[j, i] = np.mean(np.array(p) <= SIGNIFICANCE_LEVEL)
            lucks[j, i] = np.mean([part.max() - part.mean() for part in values])
            if i < LUCK_SIMULATIONS:
                expected[j, i] = expected_luck(RowFlips(scores[0], metric, DRAWS, 0))
    errors = 1.96 * worse.std(axis=1) / np.sqrt(simulations)
    return [
        ErrorRow(task, videos, number, families, *map(float, figures))
        for number, *figures in zip(rows, worse.mean(axis=1), errors, lucks.mean(axis=1), np.nanmean(expected, axis=1))
    ]


def measure_power(row: ErrorRow, simulations: int = POWER_SIMULATIONS) -> ErrorRow:
    """Measure the power on boards where the true lead of the first row equals the minimum detectable difference.

    The detectable difference depends on the true difference, because a better row makes other errors. Boards are
    therefore simulated with two leads on the same videos, and the power is interpolated to the point where the true
    difference equals the detectable one. `row` is returned unchanged if there is no such point near the two leads.
    """
    leads, differences = LEADS[row.task], _true_differences(row.task, row.videos)
    lead = leads[3]
    for _ in range(TRIALS):
        detectable, _ = _simulate_lead(row, lead, TRIAL_SIMULATIONS)
        lead = float(np.interp(detectable, differences, leads))
    for _ in range(MOVES):
        near = np.interp(detectable * np.array(NEAR), differences, leads)
        medians, found = map(np.array, zip(*(_simulate_lead(row, lead, simulations) for lead in near)))
        true = np.interp(near, leads, differences)
        crossing = _position_of_zero(true - medians)
        if BEYOND[0] <= crossing <= BEYOND[1]:
            break
        detectable = float(true[0] + np.clip(crossing, -1, 2) * (true[1] - true[0]))
    else:
        return row
    power = (1 - crossing) * found[0] + crossing * found[1]
    in_many = _position_of_zero(np.interp(near, leads, _true_differences(row.task, POPULATION_VIDEOS)) - medians)
    is_near = BEYOND[0] <= in_many <= BEYOND[1]
    return replace(
        row,
        detectable=float((1 - crossing) * medians[0] + crossing * medians[1]),
        power=float(power.mean()),
        power_margin=float(1.96 * power.std() / np.sqrt(simulations)),
        population_power=float((1 - in_many) * found[0].mean() + in_many * found[1].mean()) if is_near else None,
    )


def _position_of_zero(excess: np.ndarray) -> float:
    """Return where the line through two values, at positions 0 and 1, crosses 0; infinity if the line does not rise."""
    return float(-excess[0] / (excess[1] - excess[0])) if excess[1] > excess[0] else np.inf


def _simulate_lead(row: ErrorRow, lead: float, simulations: int) -> tuple[float, np.ndarray]:
    """Return the median detectable difference and, for each board, the share of rows found worse than the first one."""
    metric, detectable, found = TASKS[row.task].metric, [], []
    for i in range(simulations):
        random = np.random.default_rng([2, row.rows, row.videos, i])
        board = simulate_board(row.task, random, row.videos, SimulatedRows(row.rows, lead, row.families))
        result = compare_with_best(board, metric, DRAWS)
        detectable.append(np.nanmedian(np.asarray(result.detectable, dtype=float)))
        found.append(float(np.mean(result.p[1:] <= SIGNIFICANCE_LEVEL)) if result.best == 0 else 0.0)
    return float(np.median(detectable)), np.array(found)


@functools.cache
def _true_differences(task: str, videos: int) -> np.ndarray:
    """For each of the task's `LEADS`, return the mean true difference of two rows over sets of `videos` videos.

    The difference without a lead, which is due to luck alone, is subtracted.
    """
    differences = []
    for lead in LEADS[task]:
        board = simulate_board(task, np.random.default_rng(2), POPULATION_VIDEOS, SimulatedRows(2, lead))
        pooled = PooledStatistics([row[0] for row in board], many_in_groups=False)
        starts = np.arange(0, pooled.units - videos + 1, videos)
        first, second = pooled.metric(TASKS[task].metric, np.add.reduceat(pooled.rows, starts, axis=-1))
        differences.append(np.mean(first - second))
    return np.array(differences) - differences[0]


HEADER = (
    "task",
    "videos",
    "rows",
    "some row found worse",
    "luck: expected",
    "true",
    "detectable",
    "found",
    "found (population)",
)


def render(rows: Sequence[ErrorRow], form: str = "table") -> str:
    """Format rows as a table, Markdown or JSON."""
    if form == "json":
        return json.dumps([asdict(row) for row in rows], indent=1)
    cells = [_format_cells(row) for row in rows]
    if form == "md":
        return markdown_table(HEADER, cells, right=range(1, len(HEADER)))
    return "\n".join(align_columns([HEADER, *cells]))


def _format_cells(row: ErrorRow) -> tuple[str, ...]:
    return (
        f"{TASKS[row.task].metric}{', families' if row.families else ''}",
        str(row.videos),
        str(row.rows),
        f"{100 * row.false_positives:.1f}% ± {100 * row.margin:.1f}",
        f"{row.expected_luck:.3f}",
        f"{row.luck:.3f}",
        "-" if row.detectable is None else f"{row.detectable:.3f}",
        "-" if row.power is None else f"{100 * row.power:.0f}% ± {100 * (row.power_margin or 0):.0f}",
        "-" if row.population_power is None else f"{100 * row.population_power:.0f}%",
    )
