"""The gap between the protocols as text, in the four formats of the leaderboard."""

from __future__ import annotations

import statistics

from harness.leaderboard.columns import interval, naming, probability, sign, smoothing
from harness.leaderboard.layout import Column, Row, filled, fitted, joined, lines, markdown_table
from harness.leaderboard.render import in_form
from harness.leaderboard.table import title

COLUMNS = ("task", "dataset", "split", "metric", "kind", "flags", "backbone", "weights", "random_weights", "features",
           "head", "settings", "distinction", "run_id", "published_run_id", "seeds", "held_out", "published", "gap",
           "ci_low", "ci_high", "p_value", "refit", "units", "unit", "data_digest")
EXPLAINED = ("Published chooses epochs, thresholds and smoothing on the reported split itself{videos}. Gap: published "
             "less held-out on the same videos and seeds, with its 95 % interval and p of the paired test.")
MORE_VIDEOS = ", and its models are trained on the held-out videos as well"
DROPPED, DROPPED_LAST = ("seeds", "smoothing", "p"), ("run", "features")


def render_optimism(rows: list[Row], form: str = "table", width: int = 100) -> str:
    """The rows of `optimism` as table, csv, json or md, newline at the end; equal rows give equal bytes."""
    return in_form(rows, form, COLUMNS, lambda boards: "\n\n".join(
        _board(listed, rows, form, width) for listed in boards) + "\n")


def _board(listed: list[Row], rows: list[Row], form: str, width: int) -> str:
    more = "" if all(row["refit"] for row in listed) else MORE_VIDEOS
    gaps = [row["gap"] for row in listed if row["kind"] == "run"]
    notes = [EXPLAINED.format(videos=more)]
    if gaps:
        notes.append(f"Median gap of {len(gaps)} run{'s' * (len(gaps) > 1)}: {statistics.median(gaps):+.3f}.")
    heading = [*title(listed, rows), "held-out against published protocol"]
    if form == "md":
        return "\n\n".join([f"### {'; '.join(heading)}", markdown_table(listed, _columns(listed)), *notes])
    tries = [lambda: _columns(listed), lambda: _columns(listed, brief=True),
             lambda: _columns(listed, brief=True, short=True)]
    cells = fitted(listed, tries, DROPPED, DROPPED_LAST, width)
    shown = lines(cells)
    return "\n".join([joined(heading, width), "", *shown, shown[1], *(filled(note, width) for note in notes)])


def _columns(listed: list[Row], brief: bool = False, short: bool = False) -> list[Column]:
    smoothed = any(_chosen(row) != "none" for row in listed)
    return [
        *naming(listed, brief, short),
        *([Column("smoothing", _chosen)] if smoothed else []),
        Column("held-out", lambda row: f"{row['held_out']:.3f}", right=True),
        Column("published", lambda row: f"{row['published']:.3f}", right=True),
        Column("gap", lambda row: f"{row['gap']:+.3f}", right=True),
        Column("95 % interval", lambda row: interval(row, sign(listed, "ci_low"))),
        Column("p", lambda row: probability(row["p_value"])),
        Column("seeds", lambda row: str(len(row["seeds"])), right=True),
        Column("run", lambda row: row["run_id"][:6]),
    ]


def _chosen(row: Row) -> str:
    """What the held-out run chose, and what the published one chose where that is something else."""
    first, second = (smoothing({"kernel": kernel, "radius": radius}) for kernel, radius in row["chosen"].values())
    return first if first == second else f"{first} | {second}"
