"""Errors and power of the test that boards apply, on simulated boards whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from harness.bench.simulated_boards import SimulatedRows, simulate_board
from harness.metrics.best_comparisons import adjusted_p_values, compare_with_best, expected_luck
from harness.metrics.contributions import RowScores
from harness.metrics.sign_flips import SIGNIFICANCE_LEVEL, RowFlips
from harness.metrics.tasks import TASKS
from harness.utils.text import align_columns, markdown_table

ROWS = (2, 5, 12, 30, 60)
POWER_ROWS = (2, 12, 30)
VIDEOS = (12, 70)
SIMULATIONS, LUCK_SIMULATIONS, POWER_SIMULATIONS = 200, 60, 100
TRIALS, TRIAL_SIMULATIONS = 4, 30
"""Rounds in which the true difference is adjusted to the detectable one, and boards of each."""
PARTS = 4
"""Most boards that a simulated board is divided into; their errors are nearly independent."""
DRAWS = 1_000
LEADS = {
    "expr": (0.0, 0.4, 0.8, 1.2, 1.6, 2.4),
    "va": (0.0, 0.05, 0.1, 0.2, 0.35, 0.5),
    "au": (0.0, 0.2, 0.4, 0.8, 1.2),
}
"""Leads between which the true difference is interpolated."""
POPULATION_VIDEOS = 10_000


@dataclass(frozen=True)
class ErrorRow:
    """Simulated boards of one kind.

    Attributes
    ----------
    task : str
    videos, rows : int
        Number of videos, and of rows of each board.
    families : bool
        Whether rows come in families with similar errors.
    false_positives, margin : float
        Share of boards of equally good rows on which some row was found worse than the best, and half the width of its
        95% confidence interval.
    luck, expected_luck : float
        Mean lead of the best over the mean of all rows, and the mean of what the boards expected.
    detectable : float or None
        Mean of the minimum detectable differences of boards on which the first row is truly ahead by `difference`.
    difference : float or None
        True difference, chosen to be the minimum detectable one.
    power : float or None
        Share of the other rows that were found worse than the first.
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
    difference: float | None = None
    power: float | None = None


def measure_rows(
    simulations: int = SIMULATIONS, power_simulations: int = POWER_SIMULATIONS, rows: Sequence[int] = ROWS
) -> Iterator[ErrorRow]:
    """Simulate boards of every kind; smaller boards are parts of larger ones."""
    for task in LEADS:
        for videos in VIDEOS:
            for found in measure_false_positives(task, videos, rows, simulations):
                with_power = power_simulations and found.rows in POWER_ROWS
                yield measure_power(found, power_simulations) if with_power else found
        yield from measure_false_positives(task, VIDEOS[-1], rows[2:4], 2 * simulations, families=True)


def measure_false_positives(
    task: str, videos: int, rows: Sequence[int], simulations: int, families: bool = False
) -> list[ErrorRow]:
    """Simulate boards of equally good rows; each is divided into several smaller boards."""
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
    """Simulate boards on which the first row is truly ahead by what such boards call detectable."""
    differences = [_true_difference(row.task, lead) for lead in LEADS[row.task]]
    lead = LEADS[row.task][2]
    for _ in range(TRIALS):
        detectable, _ = _simulate_lead(row, lead, TRIAL_SIMULATIONS)
        lead = float(np.interp(detectable, differences, LEADS[row.task]))
    detectable, power = _simulate_lead(row, lead, simulations)
    difference = float(np.interp(lead, LEADS[row.task], differences))
    return ErrorRow(**asdict(row) | {"detectable": detectable, "difference": difference, "power": power})


def _simulate_lead(row: ErrorRow, lead: float, simulations: int) -> tuple[float, float]:
    """Return the mean minimum detectable difference, and the share of the other rows that are found worse."""
    metric, detectable, found = TASKS[row.task].metric, [], []
    for i in range(simulations):
        random = np.random.default_rng([1, simulations, i])
        board = simulate_board(row.task, random, row.videos, SimulatedRows(row.rows, lead, row.families))
        result = compare_with_best(board, metric, DRAWS)
        detectable.append(np.nanmedian(np.asarray(result.detectable, dtype=float)))
        found.append(float(np.mean(result.p[1:] <= SIGNIFICANCE_LEVEL)) if result.best == 0 else 0.0)
    return float(np.mean(detectable)), float(np.mean(found))


def _true_difference(task: str, lead: float) -> float:
    board = simulate_board(task, np.random.default_rng(2), POPULATION_VIDEOS, SimulatedRows(2, lead))
    first, second = RowScores(board).scores(TASKS[task].metric)
    return float(first - second) if lead else 0.0


HEADER = (
    "task",
    "videos",
    "rows",
    "some row found worse",
    "luck: expected",
    "true",
    "detectable",
    "true lead",
    "found",
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
        "-" if row.difference is None else f"{row.difference:.3f}",
        "-" if row.power is None else f"{100 * row.power:.0f}%",
    )
