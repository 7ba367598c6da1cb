"""The columns of a board: what each cell says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.leaderboard.distinctions import briefly
from harness.leaderboard.rows import Row, look

RANDOM = " (random)"


@dataclass(frozen=True)
class Column:
    """text: the cell; end: the part of it that says most, which stays when a cell that `shrinks` is cut."""

    name: str
    text: Callable[[Row], str]
    right: bool = False
    shrinks: bool = False
    end: Callable[[Row], str] = lambda row: ""


def columns(listed: list[Row], run_length: int, brief: bool = False) -> list[Column]:
    """Every column of a board; run ids are cut to `run_length` characters.

    brief: of the settings in which rows that look alike differ, name only as many as tell them apart.
    """
    distinction = _distinctions(listed, brief)
    shown = [
        _rank_column(listed),
        Column("backbone", _backbone, shrinks=True, end=_weights),
        Column("features", lambda row: row["features"] or "-", shrinks=True),
        Column("head", lambda row: (row["head"] or "-") + distinction(row), shrinks=True, end=distinction),
        Column("smoothing", _smoothing),
        Column(listed[0]["metric"], partial(_value, sign=_sign(listed, "value"))),
        Column("95 % interval", partial(_interval, sign=_sign(listed, "ci_low"))),
        Column("raw", lambda row: _number(row["unsmoothed"]), right=True),
        Column("seeds", _seeds, right=True),
        Column("protocol", lambda row: row["protocol"]),
        Column("cover", lambda row: _percent(row["coverage"]), right=True),
        Column("params", lambda row: _count(row["parameters"]), right=True),
        Column("run", lambda row: row["run_id"][:run_length]),
    ]
    return [column for column in shown if column.name != "raw" or _smoothing_matters(listed)]


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
    return (row["backbone"] or "-") + _weights(row)


def _weights(row: Row) -> str:
    return RANDOM if row["random_weights"] else ""


def _distinctions(listed: list[Row], brief: bool) -> Callable[[Row], str]:
    words = [row["distinction"] for row in listed]
    words = briefly([look(row) for row in listed], words) if brief else words
    texts = {row["run_id"]: "".join(f" {word}" for word in said) for row, said in zip(listed, words)}
    return lambda row: texts[row["run_id"]]


def _smoothing(row: Row) -> str:
    if row["kernel"] is None:
        return "-"
    return "none" if row["kernel"] == "none" or row["radius"] == 0 else f"{row['kernel']} r={row['radius']:g}"


def _smoothing_matters(listed: list[Row]) -> bool:
    return any(row["unsmoothed"] not in (None, row["value"]) for row in listed)


def _sign(listed: list[Row], name: str) -> str:
    """The format's sign option: a blank where some number of the board is negative, so that points align."""
    return " " if any(round(row[name] or 0.0, 3) < 0 for row in listed) else "-"


def _value(row: Row, sign: str) -> str:
    if row["value"] is None:
        return "failed"
    return f"{round(row['value'], 3) + 0.0:{sign}.3f}" + (f" ± {row['std']:.3f}" if row["std"] is not None else "")


def _interval(row: Row, sign: str) -> str:
    low, high = row["ci_low"], row["ci_high"]
    return "-" if low is None or high is None else f"{round(low, 3) + 0.0:{sign}.3f} to {round(high, 3) + 0.0:.3f}"


def _seeds(row: Row) -> str:
    done, missing = len(row["seeds"]), len(row["seeds_missing"])
    return f"{done} of {done + missing}" if missing else str(done)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= 0.9995 * size:
            return f"{parameters / size:#.3g}".rstrip(".") + unit
    return str(parameters) if parameters else "-"
