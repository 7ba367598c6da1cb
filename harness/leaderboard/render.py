"""Rows as text: one door for the four formats, and the three that machines read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from harness.leaderboard.rows import board_key
from harness.leaderboard.table import markdown, table
from harness.leaderboard.table_layout import Row
from harness.utils.errors import unknown_name_error

FORMATS = ("table", "csv", "json", "md")
COLUMNS = ("rank", "run_id", "task", "dataset", "split", "protocol", "optimistic", "kind", "flags", "backbone",
           "weights", "random_weights", "features", "head", "settings", "distinction", "kernel", "radius", "seeds",
           "seeds_missing", "metric", "value", "std", "ci_low", "ci_high", "ci_method", "tied_with_best", "p_value",
           "detectable", "unsmoothed", "undefined", "coverage", "units", "unit", "parameters", "data_digest", "source",
           "note")
"""Columns of the CSV; one for each metric any row has follows, as `metrics.NAME`."""


def render(rows: list[Row], form: str = "table", width: int = 100, bold: bool = False) -> str:
    """The rows in one of FORMATS, newline at the end; equal rows give equal bytes.

    width: columns of the terminal, for `table` only; bold: the best row in bold (for a terminal).
    """
    if form not in FORMATS:
        raise unknown_name_error("format", form, FORMATS)
    if form == "table":
        return table(rows, width, bold)
    return markdown(rows) if form == "md" else as_json(rows) if form == "json" else as_csv(rows, COLUMNS)


def in_form(rows: list[Row], form: str, columns: Sequence[str], written: Callable[[list[list[Row]]], str]) -> str:
    """Rows of another kind in one of FORMATS: `csv` with these columns, `json`, or as their boards are `written`."""
    if form == "csv":
        return as_csv(rows, columns)
    if form == "json":
        return as_json(rows)
    return written([list(part) for _, part in groupby(rows, key=board_key)])


def as_json(rows: list[Row]) -> str:
    """A list of objects, floats with six decimals; settings of heads as they are."""
    exact = [_rounded(row) | {"settings": row["settings"]} for row in rows]
    return json.dumps(exact, indent=1, sort_keys=True) + "\n"


def as_csv(rows: list[Row], columns: Sequence[str]) -> str:
    """Floats with six decimals, lists and settings separated by blanks, nothing for null."""
    names = sorted({name for row in rows for name in row.get("metrics", ())})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, *(f"metrics.{name}" for name in names)])
    for row in rows:
        values = [row[column] for column in columns] + [row["metrics"].get(name) for name in names]
        writer.writerow([_cell(value) for value in values])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return " ".join(f"{name}={_exact(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{_rounded(value):.6f}" if isinstance(value, float) else str(value)


def _exact(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.dumps(setting, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    """Six decimals, and no negative zero."""
    if isinstance(value, float):
        return round(value, 6) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
