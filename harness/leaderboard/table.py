"""The boards of the leaderboard: what stands above, in and below their tables."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from functools import partial

from harness.leaderboard.board import Board
from harness.leaderboard.columns import MARKS, format_marks, leaderboard_columns, published_notes
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.table_layout import Column, Wording, join_phrases
from harness.utils.text import plural

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
DROPPED = ("params", "cover", "p", "raw")
"""Columns left out of a narrow table, in this order; long names are shortened next, then these go:"""
DROPPED_LAST = ("note", "source", "seeds", "95 % interval", "smoothing", "run", "features")
INTERVAL_METHODS = {
    "studentized": "studentised bootstrap of {units} and seeds",
    "percentile": "percentiles over resampled {units}, and seeds",
    "bca": "BCa bootstrap of {units}, and seeds",
    "records": "of runs without statistics in this store: mean of the seeds' own",
}
"""Of intervals, in words."""
SHAREABLE_COLUMNS = ("seeds", "smoothing", "cover")
"""Columns that move into the title when all rows of a board agree."""


def make_board(listed: Sequence[LeaderboardRow], rows: Sequence[LeaderboardRow], run_length: int) -> Board:
    """The board of `listed`, a part of `rows`; run ids are cut to `run_length` characters."""
    return Board(
        rows=listed,
        columns=partial(_unshared_columns, listed, run_length),
        heading=board_title(listed, rows),
        subheading=_subheading(listed),
        notes=_footnotes(listed),
        table_notes=_numbered_notes(listed),
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
        closed=False,
    )


def board_title(listed: Sequence[BoardRow], rows: Sequence[BoardRow]) -> list[str]:
    """Task, data set (with its digest where several of `rows` have its name), split and metric of a board."""
    first = listed[0]
    dataset = min(row.dataset for row in listed)
    digests = {row.data_digest for row in rows if row.dataset == dataset and row.task == first.task}
    named = f"{dataset} [{first.data_digest[:6]}]" if len(digests - {""}) > 1 else dataset
    return [
        f"{TITLES.get(first.task, first.task)} on {named}",
        f"{first.split} split",
        first.metric,
        *(["OPTIMISTIC: chosen on the split it reports"] if first.optimistic else []),
    ]


def _subheading(listed: Sequence[LeaderboardRow]) -> list[str]:
    """What all rows of the board have in common."""
    if all(row.kind == "published" for row in listed):
        return ["published figures"]
    lifted = _shared_columns(listed)
    shared = {
        c.name: c.text(_representative_rows(c, listed)[0]) for c in leaderboard_columns(listed, 0) if c.name in lifted
    }
    most = max(listed, key=lambda row: row.units)
    words = [plural(most.units, most.unit, "d")] if most.units else []
    phrase = {
        "smoothing": "smoothing {}",
        "cover": "coverage {}",
        "seeds": "{} seed" if shared.get("seeds", "").split()[-1:] == ["1"] else "{} seeds",
    }
    return [
        *words,
        f"{listed[0].protocol} protocol",
        *(phrase[name].format(shared[name]) for name in SHAREABLE_COLUMNS if shared.get(name, "-") != "-"),
    ]


def _unshared_columns(listed: Sequence[LeaderboardRow], run_length: int, wording: Wording) -> list[Column]:
    lifted = _shared_columns(listed)
    return [c for c in leaderboard_columns(listed, run_length, wording) if c.name not in lifted]


def _shared_columns(listed: Sequence[LeaderboardRow]) -> set[str]:
    return {
        c.name
        for c in leaderboard_columns(listed, 0)
        if c.name in SHAREABLE_COLUMNS and len({c.text(row) for row in _representative_rows(c, listed)}) == 1
    }


def _representative_rows(column: Column, listed: Sequence[LeaderboardRow]) -> Sequence[LeaderboardRow]:
    """The rows that a title speaks of: baselines have one seed, and published figures one, whatever runs have."""
    runs = [row for row in listed if row.kind == "run"]
    own = [row for row in listed if row.kind != "published"]
    return (runs if column.name == "seeds" else own) or own or listed


def _footnotes(listed: Sequence[LeaderboardRow]) -> list[str]:
    """What this board's rows cannot say each for itself."""
    sentences = []
    tested = [row.detectable for row in listed if row.p_value is not None and row.kind == "run"]
    seen = [one for one in tested if one is not None]
    most = max(listed, key=lambda row: row.units)
    units = plural(most.units, most.unit, "d")
    if seen:
        sentences.append(
            f"Smallest difference to the best that {units} show with 80 % power, in one paired test at "
            f"5 %: {statistics.median(seen):.3f} (median of {plural(len(seen), 'run', 'd')})."
        )
    elif tested:
        sentences.append(f"No difference to the best, however large, can be shown by {units}.")
    undefined = Counter(name for row in listed for name in row.undefined)
    if undefined:
        named = ", ".join(f"{name} in {plural(count, 'row', 'd')}" for name, count in sorted(undefined.items()))
        sentences.append(f"Undefined, counted as 0: {named}.")
    return sentences


def _numbered_notes(listed: Sequence[LeaderboardRow]) -> list[str]:
    numbered = " ".join(f"({number}) {note}" for number, note in enumerate(published_notes(listed), 1))
    return [f"Notes: {numbered}"] if numbered else []


def board_legend(rows: Sequence[LeaderboardRow], names: set[str], width: int) -> list[str]:
    """What the marks and the columns of these names mean, where they occur."""
    held = {mark for row in rows for mark in format_marks(row)}
    methods = {row.ci_method for row in rows}
    units = " or ".join(dict.fromkeys(f"{row.unit}s" for row in rows))
    explained = [
        *((mark, meaning, mark in held) for mark, meaning in MARKS.items()),
        ("(random)", "backbone weights are random", any(row.random_weights for row in rows)),
        (
            "mixed",
            "each seed chose its own kernel; the radius is the median",
            any(row.kernel == "mixed" for row in rows),
        ),
        ("raw", "without smoothing", "raw" in names),
        ("±", "standard deviation over seeds", any(row.std is not None for row in rows)),
        *(
            ("95 % interval", meaning, "95 % interval" in names and method in methods)
            for method, meaning in INTERVAL_METHODS.items()
        ),
        ("p", "of the paired test against the best, Holm-adjusted", "p" in names),
    ]
    return [join_phrases([f"{mark} {meaning.format(units=units)}" for mark, meaning, used in explained if used], width)]
