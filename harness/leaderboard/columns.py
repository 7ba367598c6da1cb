"""The columns of a board: what each cell says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.leaderboard.rows import Row

RANDOM = " (random)"


@dataclass(frozen=True)
class Column:
    name: str
    text: Callable[[Row], str]
    right: bool = False
    shrinks: bool = False


def columns(listed: list[Row], run_length: int) -> list[Column]:
    """Every column of a board; run ids are cut to `run_length` characters."""
    return [
        _rank_column(listed),
        Column("backbone", _backbone, shrinks=True),
        Column("features", lambda row: row["features"] or "-", shrinks=True),
        Column("head", lambda row: row["head"] or "-", shrinks=True),
        Column("smoothing", _smoothing),
        Column(listed[0]["metric"], partial(_value, sign=" " if _any_negative(listed) else "-")),
        Column("95 % interval", _interval),
        Column("raw", lambda row: _number(row["unsmoothed"]), right=True),
        Column("seeds", _seeds, right=True),
        Column("protocol", lambda row: row["protocol"]),
        Column("cover", lambda row: _percent(row["coverage"]), right=True),
        Column("params", lambda row: _count(row["parameters"]), right=True),
        Column("run", lambda row: row["run_id"][:run_length]),
    ]


def optimistic(row: Row) -> bool:
    return row["protocol"] == "published" and row["kind"] == "run"


def _marks(row: Row) -> str:
    kind = {"baseline": "b", "published": "p"}.get(row["kind"], "")
    return kind + "o" * optimistic(row) + "u" * bool(row["undefined"])


def _rank_column(listed: list[Row]) -> Column:
    """Ranks right-aligned, their marks left-aligned after them."""
    width = max(len(_marks(row)) for row in listed)
    room = width + 1 if width else 0

    def text(row: Row) -> str:
        return ("-" if row["rank"] is None else str(row["rank"])) + f" {_marks(row)}"[:room].ljust(room)

    return Column("#" + " " * room, text, right=True)


def _backbone(row: Row) -> str:
    return (row["backbone"] or "-") + (RANDOM if row["random_weights"] else "")


def _smoothing(row: Row) -> str:
    if row["kernel"] is None:
        return "-"
    return "none" if row["kernel"] == "none" or row["radius"] == 0 else f"{row['kernel']} r={row['radius']:g}"


def _any_negative(listed: list[Row]) -> bool:
    return any(round(row["value"] or 0.0, 3) < 0 for row in listed)


def _value(row: Row, sign: str) -> str:
    """sign: the format's sign option; a blank where some value of the board is negative, so that points align."""
    if row["value"] is None:
        return "failed"
    return f"{round(row['value'], 3) + 0.0:{sign}.3f}" + (f" ± {row['std']:.3f}" if row["std"] is not None else "")


def _interval(row: Row) -> str:
    return "-" if row["ci_low"] is None or row["ci_high"] is None else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"


def _seeds(row: Row) -> str:
    done, missing = len(row["seeds"]), len(row["seeds_missing"])
    return f"{done} of {done + missing}" if missing else str(done)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters) if parameters else "-"
