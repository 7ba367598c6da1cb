"""What real time costs: each run as it was scored, and with the past alone to smooth by, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from harness.leaderboard.layout import Row
from harness.leaderboard.rows import Evidence, board, finished, grouped, rows
from harness.tracking.records import Record

ASSUMED_RATE = 30.0
"""Frames a second where the data does not tell: that of nearly all videos of the challenges."""
OFFLINE = ("task", "dataset", "data_digest", "split", "protocol", "optimistic", "metric", "kind", "flags", "backbone",
           "weights", "random_weights", "features", "head", "settings", "distinction", "units", "unit", "parameters",
           "run_id")
"""Fields that a row here has of the run's own row on the leaderboard."""
LIVE = ("rank", "kernel", "radius", "seeds", "value", "std", "ci_low", "ci_high", "ci_method", "tied_with_best",
        "p_value", "untested", "undefined")
"""Fields that it has of its causal replay, as of `harness.leaderboard.rows`."""


def causal(records: Iterable[Record], replayed: Mapping[str, Record], task: str | None = None,
           evidence: Evidence | None = None, rate: float = ASSUMED_RATE) -> list[Row]:
    """One row for each configuration with a causal replay, boards one after another, best in real time first.

    replayed: the records of causal replays, by the job id of the run's job. `value`, its interval and `rank` are of
    the replays alone; `offline` is the mean of the run's own scores over the same seeds, `offline_kernel`,
    `offline_radius` and `look_ahead` its filter and the later frames that it needs. `price`: offline less real time;
    `price_low`, `price_high` and `price_p` of the paired test, not adjusted, None without statistics. `delay`: frames
    by which the causal filter lags in the mean, of several seeds their median, and `delay_ms` at `rate` frames a
    second.
    """
    records = list(records)
    own = {(row["run_id"], row["data_digest"]): row for row in rows(records, task)}
    live = {row["run_id"]: row for row in rows(replayed.values(), task, evidence)}
    made = []
    for group in grouped(records, task):
        pairs = [(job, replayed[job.job_id]) for job in finished(group) if job.job_id in replayed]
        if pairs:
            made.append(_row(own[group[0].group_id, group[0].data_digest], live[pairs[0][1].group_id], pairs, evidence,
                             rate))
    places = {key: place for place, key in enumerate(dict.fromkeys(map(board, own.values())))}
    return sorted(made, key=lambda row: (places[board(row)], -row["value"], row["run_id"]))


def _row(own: Row, live: Row, pairs: list[tuple[Record, Record]], evidence: Evidence | None, rate: float) -> Row:
    from harness.smoothing.kernels import delay, look_ahead

    offline, replays = zip(*pairs)
    found = evidence.difference(offline, replays) if evidence is not None else None
    before = statistics.fmean(job.metrics[job.metric] for job in offline)
    late = statistics.median(delay(job.kernel, job.radius) for job in replays)
    return {
        **{name: own[name] for name in OFFLINE},
        **{name: live[name] for name in LIVE},
        "offline": before,
        "offline_kernel": own["kernel"],
        "offline_radius": own["radius"],
        "look_ahead": statistics.median(look_ahead(job.kernel, job.radius) for job in offline),
        "price": before - live["value"],
        **_difference(found),
        "delay": late,
        "delay_ms": 1000 * late / rate,
        "rate": rate,
    }


def _difference(found: Any) -> dict[str, float | None]:
    return {"price_low": found.low, "price_high": found.high, "price_p": found.p} if found else \
        dict.fromkeys(("price_low", "price_high", "price_p"))
