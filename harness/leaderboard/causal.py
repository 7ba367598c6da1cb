"""Loss of accuracy by causal smoothing: each run with its own filter, and with a filter that uses no future frames.

A causal replay scores the saved predictions of a job again, with a causal filter. Offline scores are those of the
filter that the job selected, which may use future frames.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.leaderboard.configuration_row import SignificanceProvider
from harness.leaderboard.configurations import finished_records, group_by_configuration
from harness.leaderboard.row_keys import board_key
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.rows import leaderboard_rows
from harness.tracking.records import Record

ASSUMED_RATE = 30.0
"""Frames per second that are assumed for every dataset: the rate of nearly all challenge videos."""


@dataclass(kw_only=True)
class CausalRow(BoardRow):
    """Scores of a configuration with its own filter, which may use future frames (offline), and with causal smoothing.

    Attributes
    ----------
    rank, kernel, radius, seeds, value, std, ci_low, ci_high, ci_method, tied_with_best, p_value, untested, undefined
        See `LeaderboardRow`; computed from the causal replays, that is, from the saved predictions, smoothed again with
        causal filters (see `harness.jobs.causal`).
    parameters : int
        Parameters of backbone and head.
    offline : float
        Mean score of the original jobs, each with its own filter, over the seeds that have a causal replay.
    offline_kernel, offline_radius
        The filter of the run.
    look_ahead : float
        Future frames that the filter of the run needs. If the seeds selected different filters, the median over seeds.
    price : float
        `offline` minus `value`.
    price_low, price_high, price_p : float or None
        95% confidence interval of `price`, and p-value of the paired test. The p-value is not adjusted for the number
        of rows. All are None without statistics.
    delay : float
        Frames by which the causal filter lags behind on average, half its radius. If the seeds selected different
        filters, the median over seeds.
    delay_ms : float
        `delay` in milliseconds at `rate`.
    rate : float
        Assumed frames per second.
    """

    rank: int | None
    kernel: str | None
    radius: float | None
    seeds: list[int]
    value: float
    std: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    tied_with_best: bool | None
    p_value: float | None
    untested: bool
    undefined: list[str]
    parameters: int
    offline: float
    offline_kernel: str | None
    offline_radius: float | None
    look_ahead: float
    price: float
    price_low: float | None
    price_high: float | None
    price_p: float | None
    delay: float
    delay_ms: float
    rate: float


REPLAY_FIELDS = (
    "rank",
    "kernel",
    "radius",
    "seeds",
    "value",
    "std",
    "ci_low",
    "ci_high",
    "ci_method",
    "tied_with_best",
    "p_value",
    "untested",
    "undefined",
)
"""Fields of a `CausalRow` that are taken from the leaderboard row of its causal replays."""


def causal_rows(
    records: Iterable[Record],
    replayed: Mapping[str, Record],
    task: str | None = None,
    significance: SignificanceProvider | None = None,
) -> list[CausalRow]:
    """Build one row for each configuration that has a causal replay.

    Parameters
    ----------
    records : iterable of Record
        Records of runs in any order.
    replayed : mapping of str to Record
        Records of causal replays, by the id of the replayed job.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests.

    Returns
    -------
    list of CausalRow
        Rows grouped by board (task, dataset, split and protocol), in each board by decreasing causal score. Value,
        interval and rank are computed from the replays alone.
    """
    records = list(records)
    offline_rows = {(row.run_id, row.data_digest): row for row in leaderboard_rows(records, task)}
    replay_rows = {row.run_id: row for row in leaderboard_rows(replayed.values(), task, significance)}
    rows = []
    for group in group_by_configuration(records, task):
        pairs = [(job, replayed[job.job_id]) for job in finished_records(group) if job.job_id in replayed]
        if pairs:
            offline_row = offline_rows[group[0].group_id, group[0].data_digest]
            rows.append(_causal_row(offline_row, replay_rows[pairs[0][1].group_id], pairs, significance))
    board_order = {key: i for i, key in enumerate(dict.fromkeys(map(board_key, offline_rows.values())))}
    return sorted(rows, key=lambda row: (board_order[board_key(row)], -row.value, row.run_id))


def _causal_row(
    offline_row: LeaderboardRow,
    replay_row: LeaderboardRow,
    pairs: list[tuple[Record, Record]],
    significance: SignificanceProvider | None,
) -> CausalRow:
    from harness.smoothing.kernels import mean_lag, required_lookahead

    jobs, replays = zip(*pairs)
    difference = significance.difference(jobs, replays) if significance is not None else None
    offline = statistics.fmean(job.metrics[job.metric] for job in jobs)
    delay = statistics.median(mean_lag(job.kernel, job.radius) for job in replays)
    assert replay_row.value is not None  # replays are finished jobs
    return CausalRow(
        **offline_row.shared_fields(),
        **{name: getattr(replay_row, name) for name in REPLAY_FIELDS},
        parameters=offline_row.parameters,
        offline=offline,
        offline_kernel=offline_row.kernel,
        offline_radius=offline_row.radius,
        look_ahead=statistics.median(required_lookahead(job.kernel, job.radius) for job in jobs),
        price=offline - replay_row.value,
        price_low=difference.low if difference else None,
        price_high=difference.high if difference else None,
        price_p=difference.p if difference else None,
        delay=delay,
        delay_ms=1000 * delay / ASSUMED_RATE,
        rate=ASSUMED_RATE,
    )
