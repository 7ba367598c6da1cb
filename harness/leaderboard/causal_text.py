"""The price of real time as text, in the four formats of the leaderboard."""

from __future__ import annotations

import statistics
from functools import partial

from harness.leaderboard.columns import MARKS, interval, marks, naming, rank_column, sign, smoothing
from harness.leaderboard.layout import Column, Row, filled, fitted, joined, lines, markdown_table
from harness.leaderboard.render import in_form
from harness.leaderboard.table import title

COLUMNS = ("rank", "run_id", "task", "dataset", "split", "protocol", "optimistic", "kind", "flags", "backbone",
           "weights", "random_weights", "features", "head", "settings", "distinction", "seeds", "metric", "offline",
           "offline_kernel", "offline_radius", "look_ahead", "value", "std", "ci_low", "ci_high", "ci_method",
           "tied_with_best", "p_value", "kernel", "radius", "price", "price_low", "price_high", "price_p", "delay",
           "delay_ms", "rate", "undefined", "units", "unit", "parameters", "data_digest")
EXPLAINED = ("Causal: kernel, radius and thresholds chosen anew, on the rows that the run chose on, among filters that "
             "know no later frame (trailing mean and median, exponential; gaps hold the last crop). Price: offline "
             "less causal on the same videos and seeds, with its 95 % interval, paired.")
DELAY = ("Delay in ms: how late a change comes out in the mean, at {rate:g} frames a second, which is assumed: data "
         "sets of crops do not tell theirs.")
WORDS = {"trailing_mean": "trailing mean", "trailing_median": "trailing median"}
SHORT = {"trailing_mean": "mean", "trailing_median": "median", "exponential": "exp"}
DROPPED, DROPPED_LAST = ("seeds", "price's 95 %", "offline filter"), ("run", "95 % interval", "features")


def render_causal(rows: list[Row], form: str = "table", width: int = 100) -> str:
    """The rows of `causal` as table, csv, json or md, newline at the end; equal rows give equal bytes."""
    return in_form(rows, form, COLUMNS, lambda boards: _boards(boards, rows, form, width))


def _boards(boards: list[list[Row]], rows: list[Row], form: str, width: int) -> str:
    notes = [EXPLAINED, DELAY.format(rate=rows[0]["rate"]), *_legend(rows)] if rows else []
    last = "\n\n".join(notes) if form == "md" else "\n".join(filled(note, width) for note in notes)
    return "\n\n".join([*(_board(listed, rows, form, width) for listed in boards), last]) + "\n"


def _board(listed: list[Row], rows: list[Row], form: str, width: int) -> str:
    heading, notes = [*title(listed, rows), "offline and in real time"], _prices(listed)
    if form == "md":
        return "\n\n".join([f"### {'; '.join(heading)}", markdown_table(listed, _columns(listed)), *notes])
    tries = [lambda: _columns(listed), lambda: _columns(listed, brief=True),
             lambda: _columns(listed, brief=True, short=True)]
    shown = lines(fitted(listed, tries, DROPPED, DROPPED_LAST, width))
    return "\n".join([joined(heading, width), "", *shown, shown[1], *(filled(note, width) for note in notes)])


def _columns(listed: list[Row], brief: bool = False, short: bool = False) -> list[Column]:
    several = len({len(row["seeds"]) for row in listed} | {1}) > 1
    return [
        rank_column(listed),
        *naming(listed, brief, short),
        Column("offline filter", lambda row: _filter(row["offline_kernel"], row["offline_radius"], short)),
        Column("offline", lambda row: f"{row['offline']:.3f}", right=True),
        Column("causal filter" if not short else "filter", lambda row: _filter(row["kernel"], row["radius"], short)),
        Column("causal", lambda row: f"{row['value']:.3f}", right=True),
        Column("95 % interval", partial(interval, sign=sign(listed, "ci_low"))),
        Column("price", lambda row: f"{_unsigned_zero(row['price']):+.3f}", right=True),
        Column("price's 95 %", _price_interval),
        Column("ms" if short else "delay", _milliseconds if short else _delay, right=True),
        *([Column("seeds", lambda row: str(len(row["seeds"])), right=True)] if several else []),
        Column("run", lambda row: row["run_id"][:6]),
    ]


def _filter(kernel: str, radius: float, short: bool) -> str:
    shown = smoothing({"kernel": kernel, "radius": radius}, short)
    for name, words in (SHORT if short else WORDS).items():
        shown = shown.replace(name, words)
    return shown


def _price_interval(row: Row) -> str:
    return interval({"ci_low": row["price_low"], "ci_high": row["price_high"]}, "+")


def _delay(row: Row) -> str:
    return f"{row['delay']:g} fr, {_milliseconds(row)} ms"


def _milliseconds(row: Row) -> str:
    return f"{row['delay_ms']:.0f}"


def _unsigned_zero(value: float) -> float:
    return round(value, 3) + 0.0


def _prices(listed: list[Row]) -> list[str]:
    runs = [row for row in listed if row["kind"] == "run"]
    if not runs:
        return []
    middle = statistics.median(row["price"] for row in runs)
    waits = statistics.median(row["look_ahead"] for row in runs)
    return [f"Median price of {len(runs)} run{'s' * (len(runs) > 1)}: {_unsigned_zero(middle):+.3f}; offline they look "
            f"{waits:g} frames ahead in the median, and a camera would have to wait for those."]


def _legend(rows: list[Row]) -> list[str]:
    held = {mark for row in rows for mark in marks(row)}
    units = " or ".join(dict.fromkeys(f"{row['unit']}s" for row in rows))
    said = [f"{mark} {meaning.format(units=units)}" for mark, meaning in MARKS.items() if mark in held]
    if any("mixed" in (row["kernel"], row["offline_kernel"]) for row in rows):
        said.append("mixed: each seed chose its own kernel, and the radius is the median")
    return [f"Ranks are of causal scores; {'; '.join(said)}."] if said else []
