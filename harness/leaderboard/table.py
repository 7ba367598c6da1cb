"""The boards as a reader sees them: aligned text for a terminal, and Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import groupby

from harness.leaderboard.columns import MARKS, columns, flags_column, notes
from harness.leaderboard.differing_settings import unique_prefix
from harness.leaderboard.rows import board_key
from harness.leaderboard.table_layout import Cells, Column, Row, filled, fit_to_width, joined, lines, markdown_table
from harness.utils.text import plural

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
DROPPED = ("params", "cover", "p", "raw")
"""Columns left out of a narrow table, in this order; long names are shortened next, then these go:"""
DROPPED_LAST = ("note", "source", "seeds", "95 % interval", "smoothing", "run", "features")
METHODS = {"studentized": "studentised bootstrap of {units} and seeds",
           "percentile": "percentiles over resampled {units}, and seeds", "bca": "BCa bootstrap of {units}, and seeds",
           "records": "of runs without statistics in this store: mean of the seeds' own"}
"""Of intervals, in words."""
LIFTED = ("seeds", "smoothing", "cover")
"""Columns that move into the title when all rows of a board agree."""


def table(rows: list[Row], width: int = 100, bold: bool = False) -> str:
    """Boards as aligned text within `width` characters, a legend of the marks at the end."""
    if not rows:
        return "no rows\n"
    run_length = _run_length(rows)
    boards = [list(part) for _, part in groupby(rows, key=board_key)]
    cells = [_fitted(listed, run_length, width) for listed in boards]
    parts = [_board(listed, rows, shown, width, bold) for listed, shown in zip(boards, cells)]
    legend = _legend(rows, width, [column for shown in cells for column in shown])
    return "\n\n".join([*parts, *([legend] if legend else [])]) + "\n"


def markdown(rows: list[Row]) -> str:
    """A heading and a table with every column for each board, the legend of marks at the end."""
    run_length = _run_length(rows)
    parts, every = [], []
    for _, part in groupby(rows, key=board_key):
        listed = list(part)
        shown = _shown(listed, run_length)
        every += shown
        parts.append("\n\n".join([f"### {'; '.join(title(listed, rows))}", "; ".join(_shared(listed)),
                                  markdown_table(listed, shown), *_footnotes(listed)]))
    legend = _legend(rows, 10_000, every)
    return "\n\n".join([*parts, *([legend] if legend else [])] or ["no rows"]) + "\n"


def title(listed: list[Row], rows: list[Row]) -> list[str]:
    """Task, data set (with its digest where several of `rows` have its name), split and metric of a board."""
    first = listed[0]
    dataset = min(row["dataset"] for row in listed)
    digests = {row["data_digest"] for row in rows if row["dataset"] == dataset and row["task"] == first["task"]}
    named = f"{dataset} [{first['data_digest'][:6]}]" if len(digests - {""}) > 1 else dataset
    return [f"{TITLES.get(first['task'], first['task'])} on {named}", f"{first['split']} split", first["metric"],
            *(["OPTIMISTIC: chosen on the split it reports"] if first["optimistic"] else [])]


def _run_length(rows: list[Row]) -> int:
    return unique_prefix(row["run_id"] for row in rows if row["kind"] != "published")


def _board(listed: list[Row], rows: list[Row], cells: Cells, width: int, bold: bool) -> str:
    header, rule, *body = lines(cells)
    if bold and listed[0]["rank"] == 1:
        body[0] = f"\033[1m{body[0]}\033[0m"
    said = [filled(line, width) for line in [*_footnotes(listed), *_numbered_notes(listed)]]
    return "\n".join([joined(title(listed, rows), width), joined(_shared(listed), width), "",
                      header, rule, *body, *([rule, *said] if said else [])])


def _fitted(listed: list[Row], run_length: int, width: int) -> Cells:
    """Less said of settings, shorter words, columns dropped, names cut until the table fits."""
    tries = [lambda: _shown(listed, run_length, numbered=True),
             lambda: _shown(listed, run_length, numbered=True, brief=True),
             lambda: _shown(listed, run_length, numbered=True, brief=True, short=True)]
    return fit_to_width(listed, tries, DROPPED, DROPPED_LAST, width)


def _shared(listed: list[Row]) -> list[str]:
    """What all rows of the board have in common."""
    if all(row["kind"] == "published" for row in listed):
        return ["published figures"]
    shared = {c.name: c.text(_representative_rows(c, listed)[0]) for c in columns(listed, 0) if c.name in _shared_columns(listed)}
    most = max(listed, key=lambda row: row["units"])
    words = [plural(most["units"], most["unit"], "d")] if most["units"] else []
    phrase = {"smoothing": "smoothing {}", "cover": "coverage {}",
              "seeds": "{} seed" if shared.get("seeds", "").split()[-1:] == ["1"] else "{} seeds"}
    return [*words, f"{listed[0]['protocol']} protocol",
            *(phrase[name].format(shared[name]) for name in LIFTED if shared.get(name, "-") != "-")]


def _shown(listed: list[Row], run_length: int, **wording: bool) -> list[Column]:
    lifted = _shared_columns(listed)
    return [c for c in columns(listed, run_length, **wording) if c.name not in lifted]


def _shared_columns(listed: list[Row]) -> set[str]:
    return {c.name for c in columns(listed, 0)
            if c.name in LIFTED and len({c.text(row) for row in _representative_rows(c, listed)}) == 1}


def _representative_rows(column: Column, listed: list[Row]) -> list[Row]:
    """The rows that a title speaks of: baselines have one seed, and published figures one, whatever runs have."""
    runs = [row for row in listed if row["kind"] == "run"]
    own = [row for row in listed if row["kind"] != "published"]
    return (runs if column.name == "seeds" else own) or own or listed


def _footnotes(listed: list[Row]) -> list[str]:
    """What this board's rows cannot say each for itself."""
    sentences = []
    tested = [row["detectable"] for row in listed if row["p_value"] is not None and row["kind"] == "run"]
    seen = [one for one in tested if one is not None]
    most = max(listed, key=lambda row: row["units"])
    units = plural(most["units"], most["unit"], "d")
    if seen:
        sentences.append(f"Smallest difference to the best that {units} show with 80 % power, in one paired test at "
                         f"5 %: {statistics.median(seen):.3f} (median of {plural(len(seen), 'run', 'd')}).")
    elif tested:
        sentences.append(f"No difference to the best, however large, can be shown by {units}.")
    undefined = Counter(name for row in listed for name in row["undefined"])
    if undefined:
        named = ", ".join(f"{name} in {plural(count, 'row', 'd')}" for name, count in sorted(undefined.items()))
        sentences.append(f"Undefined, counted as 0: {named}.")
    return sentences


def _numbered_notes(listed: list[Row]) -> list[str]:
    said = " ".join(f"({number}) {note}" for number, note in enumerate(notes(listed), 1))
    return [f"Notes: {said}"] if said else []


def _legend(rows: list[Row], width: int, shown: list[Column]) -> str:
    held, names = {mark for row in rows for mark in flags_column(row)}, {column.name for column in shown}
    methods = {row["ci_method"] for row in rows}
    units = " or ".join(dict.fromkeys(f"{row['unit']}s" for row in rows))
    explained = [
        *((mark, meaning, mark in held) for mark, meaning in MARKS.items()),
        ("(random)", "backbone weights are random", any(row["random_weights"] for row in rows)),
        ("mixed", "each seed chose its own kernel; the radius is the median",
         any(row["kernel"] == "mixed" for row in rows)),
        ("raw", "without smoothing", "raw" in names),
        ("±", "standard deviation over seeds", any(row["std"] is not None for row in rows)),
        *(("95 % interval", meaning, "95 % interval" in names and method in methods)
          for method, meaning in METHODS.items()),
        ("p", "of the paired test against the best, Holm-adjusted", "p" in names),
    ]
    return joined([f"{mark} {meaning.format(units=units)}" for mark, meaning, used in explained if used], width)
