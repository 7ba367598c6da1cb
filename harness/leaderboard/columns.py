"""Columns of a board: headings, cell formats and the marks of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from harness.leaderboard.differing_settings import shortest_distinguishing
from harness.leaderboard.row_keys import display_key, row_key
from harness.leaderboard.row_types import ORACLE_FLAG, BoardRow, LeaderboardRow
from harness.leaderboard.table_layout import FULL_WORDING, RUN_ID, Column, Wording
from harness.utils.text import format_count, format_percent

RANDOM_SUFFIX = " (random)"
SHORT_WORDS = {
    "logistic_regression": "logistic",
    "multitask": "multi",
    "embeddings": "emb",
    "embeddings+scores": "emb+scores",
}
"""Abbreviations used in a narrow table."""
SHORT_SETTINGS = {"hidden=": "hid="}
MARKS = {
    "=": ("not significantly different from the best (permutation test over {units} of all rows together, alpha 0.05)"),
    "b": "baseline",
    "s": "features include the backbone's own predictions of the target",
    "l": "oracle, uses the labels of the reported split, not ranked",
    "t": "the backbone was trained on crops of this split",
    "d": "a file of the run differs from the one that was written, not ranked",
    "c": "made by other code than most rows of its board",
    "u": "some metric is undefined and counted as 0",
    "n": "not tested against the best (scored on different frames, or its statistics are missing)",
    "p": "published result, not ranked",
}
"""Meaning of each mark next to a rank; `{units}` is replaced by "videos" or "subjects"."""


class RankedRow(Protocol):
    """Fields that `format_marks` and `rank_column` read from a row."""

    rank: int | None
    kind: str
    flags: list[str]
    tied_with_best: bool | None
    p_value: float | None
    untested: bool
    undefined: list[str]


def leaderboard_columns(
    rows: Sequence[LeaderboardRow], run_length: int, wording: Wording = FULL_WORDING
) -> list[Column]:
    """Build every column of the leaderboard.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The rows of one board.
    run_length : int
        Number of characters shown of each run id.
    wording : Wording
        How verbose cells and headings are.

    Returns
    -------
    list of Column
    """
    note_numbers = {note: str(number) for number, note in enumerate(published_notes(rows), 1)}
    bound = sign_option(rows, "ci_low")

    def format_note(row: LeaderboardRow) -> str:
        return note_numbers.get(row.note or "", "-") if wording.numbered else row.note or "-"

    raw = Column("raw", lambda row: format_number(row.unsmoothed), right=True)
    without_rare = Column("without rare", lambda row: format_number(row.without_rare), right=True)
    note = Column("note", format_note)
    columns = [
        rank_column(rows),
        *name_columns(rows, wording),
        Column("smoothing", lambda row: format_smoothing(row.kernel, row.radius)),
        Column(rows[0].metric, partial(_format_value, sign=sign_option(rows, "value"))),
        *([without_rare] if any(row.rare_classes for row in rows) else []),
        Column("corrected", lambda row: format_number(row.corrected), right=True, optional=True),
        Column("95% CI", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("p-value", lambda row: format_p_value(row.p_value)),
        *([raw] if _has_smoothing_effect(rows) else []),
        Column("seeds", _format_seeds, right=True),
        Column("coverage", lambda row: format_percent(row.coverage), right=True),
        Column("params" if wording.brief else "parameters", lambda row: format_count(row.parameters), right=True),
        *([note] if note_numbers else []),
        Column(
            "source" if all(row.source for row in rows) else RUN_ID,
            lambda row: row.source or row.run_id[:run_length],
            shrinks=True,
        ),
    ]
    return columns


def name_columns(rows: Sequence[BoardRow], wording: Wording) -> list[Column]:
    """Build the columns backbone, features and head, with the settings that tell similar rows apart."""
    distinction = _distinction_formatter(rows, wording.brief, SHORT_SETTINGS if wording.short else {})
    words = SHORT_WORDS if wording.short else {}
    return [
        Column("backbone", _format_backbone, shrinks=True, end=_random_suffix),
        Column("features", lambda row: _shorten_word(row.features, words), shrinks=True),
        Column("head", lambda row: _shorten_word(row.head, words) + distinction(row), shrinks=True, end=distinction),
    ]


def published_notes(rows: Sequence[LeaderboardRow]) -> list[str]:
    """List the distinct notes of published figures, in the order of the rows."""
    return list(dict.fromkeys(row.note for row in rows if row.note))


def format_marks(row: RankedRow) -> str:
    """Return the marks of `MARKS` that apply to the row."""
    applies = {
        "=": bool(row.tied_with_best) and row.p_value is not None,
        "n": row.untested,
        "b": row.kind == "baseline" and ORACLE_FLAG not in row.flags,
        "p": row.kind == "published",
        "l": ORACLE_FLAG in row.flags,
        "s": "own_scores" in row.flags,
        "t": "seen_crops" in row.flags,
        "d": "altered" in row.flags,
        "c": "other_code" in row.flags,
        "u": bool(row.undefined),
    }
    return "".join(mark for mark, applied in applies.items() if applied)


def rank_column(rows: Sequence[RankedRow]) -> Column:
    """Build the rank column: ranks right-aligned, followed by left-aligned marks."""
    digits = max(len(_format_rank(row)) for row in rows)

    def text(row: RankedRow) -> str:
        return f"{_format_rank(row):>{digits}} {format_marks(row)}".rstrip()

    return Column("rank", text)


def _format_rank(row: RankedRow) -> str:
    return "-" if row.rank is None else str(row.rank)


def _shorten_word(text: str, words: Mapping[str, str]) -> str:
    return words.get(text, text) or "-"


def _format_backbone(row: BoardRow) -> str:
    return (row.backbone or "-") + _random_suffix(row)


def _random_suffix(row: BoardRow) -> str:
    return RANDOM_SUFFIX if row.random_weights else ""


def _distinction_formatter(
    rows: Sequence[BoardRow], brief: bool, abbreviations: Mapping[str, str]
) -> Callable[[BoardRow], str]:
    words = [row.distinction for row in rows]
    words = shortest_distinguishing([display_key(row) for row in rows], words) if brief else words
    texts = {row_key(row): "".join(f" {word}" for word in settings) for row, settings in zip(rows, words)}
    for long, short in abbreviations.items():
        texts = {row: text.replace(long, short) for row, text in texts.items()}
    return lambda row: texts[row_key(row)]


def format_smoothing(kernel: str | None, radius: float | None) -> str:
    """Format kernel and radius, such as `mean 7`."""
    if kernel is None:
        return "-"
    return "none" if kernel == "none" or radius == 0 else f"{kernel} {radius:g}"


def _has_smoothing_effect(rows: Sequence[LeaderboardRow]) -> bool:
    return any(row.unsmoothed not in (None, row.value) for row in rows)


def sign_option(rows: Sequence[BoardRow], name: str) -> str:
    """Return the sign option of a number format: a space if a value is negative, so that decimal points align."""
    return " " if any(round(getattr(row, name) or 0.0, 3) < 0 for row in rows) else "-"


def _format_value(row: LeaderboardRow, sign: str) -> str:
    if row.value is None:
        return "failed"
    return f"{row.value:{sign}z.3f}" + (f" ± {row.std:.3f}" if row.std is not None else "")


def format_interval(low: float | None, high: float | None, sign: str = "-", digits: int = 3) -> str:
    """Format an interval as `0.100 to 0.200`, or `-` if it is missing."""
    return "-" if low is None or high is None else f"{low:{sign}z.{digits}f} to {high:z.{digits}f}"


def _format_seeds(row: LeaderboardRow) -> str:
    total, missing = len({*row.seeds, *row.seeds_missing}), len(row.seeds_missing)
    seeds = _format_count_of(total - missing, missing)
    return f"{_format_count_of(len(row.trainings), len(row.trainings_missing))} x {seeds}" if row.trainings else seeds


def _format_count_of(done: int, missing: int) -> str:
    return f"{done} of {done + missing}" if missing else str(done)


def format_number(value: float | None) -> str:
    """Format a score with three decimals, or `-` if it is missing."""
    return "-" if value is None else f"{value:z.3f}"


def format_p_value(p: float | None) -> str:
    """Format a p-value with three decimals, or as `<0.001` below 0.001, or as `-` if it is missing."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
