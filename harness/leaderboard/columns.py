"""The columns of a board: what each cell says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from harness.leaderboard.differing_settings import shortest_distinguishing
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.rows import display_key, row_key
from harness.leaderboard.table_layout import FULL_WORDING, Column, Wording

RANDOM_SUFFIX = " (random)"
SHORT_WORDS = {
    "logistic_regression": "logistic",
    "multitask": "multi",
    "embeddings": "emb",
    "embeddings+scores": "emb+scores",
}
"""Words of cells in a table that is short of room."""
SHORT_SETTINGS = {"hidden=": "h="}
MARKS = {
    "=": "tied, so ranked 1: these {units} cannot tell it from the best (paired test, 5 %, Holm)",
    "n": "not tested: it was scored on other frames than the best, or its counts are not kept",
    "b": "baseline",
    "p": "published figure, not ranked",
    "l": "labels: it reads those of the reported split; not ranked",
    "s": "scores: its features hold scores of what is predicted",
    "u": "some metric is undefined and counts as 0",
}


def leaderboard_columns(
    listed: Sequence[LeaderboardRow], run_length: int, wording: Wording = FULL_WORDING
) -> list[Column]:
    """Every column of the leaderboard; run ids are cut to `run_length` characters."""
    number_of = {note: str(place) for place, note in enumerate(published_notes(listed), 1)}
    bound = sign_option(listed, "ci_low")
    shown = [
        rank_column(listed),
        *name_columns(listed, wording),
        Column("smoothing", lambda row: format_smoothing(row.kernel, row.radius, wording.short)),
        Column(listed[0].metric, partial(_format_value, sign=sign_option(listed, "value"))),
        Column("95 % interval", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("p", lambda row: format_p_value(row.p_value)),
        Column("raw", lambda row: format_number(row.unsmoothed), right=True),
        Column("seeds", _format_seeds, right=True),
        Column("cover", lambda row: format_percent(row.coverage), right=True),
        Column("params", lambda row: format_count(row.parameters), right=True),
        Column("note", lambda row: number_of.get(row.note, "-") if wording.numbered else row.note or "-"),
        Column(
            "source" if all(row.source for row in listed) else "run",
            lambda row: row.source or row.run_id[:run_length],
            shrinks=True,
        ),
    ]
    silent = {"raw": not _has_smoothing_effect(listed), "note": not number_of}
    return [column for column in shown if not silent.get(column.name)]


def name_columns(listed: Sequence[BoardRow], wording: Wording) -> list[Column]:
    """Backbone, features and head with what tells rows apart."""
    distinction = _distinction_formatter(listed, wording.brief, SHORT_SETTINGS if wording.short else {})
    words = SHORT_WORDS if wording.short else {}
    return [
        Column("backbone", _format_backbone, shrinks=True, end=_random_suffix),
        Column("features", lambda row: _shorten_word(row.features, words), shrinks=True),
        Column("head", lambda row: _shorten_word(row.head, words) + distinction(row), shrinks=True, end=distinction),
    ]


def published_notes(listed: Sequence[LeaderboardRow]) -> list[str]:
    """What publications say of their figures, each once."""
    return list(dict.fromkeys(row.note for row in listed if row.note))


def format_marks(row: LeaderboardRow) -> str:
    """The letters of MARKS that hold of the row."""
    held = {
        "=": bool(row.tied_with_best) and row.p_value is not None,
        "n": row.untested,
        "b": row.kind == "baseline",
        "p": row.kind == "published",
        "l": "uses_labels" in row.flags,
        "s": "own_scores" in row.flags,
        "u": bool(row.undefined),
    }
    return "".join(mark for mark, holds in held.items() if holds)


def rank_column(listed: Sequence[LeaderboardRow]) -> Column:
    """Ranks right-aligned, their marks left-aligned after them."""
    width = max(len(format_marks(row)) for row in listed)
    room = width + 1 if width else 0

    def text(row: LeaderboardRow) -> str:
        return ("-" if row.rank is None else str(row.rank)) + f" {format_marks(row)}"[:room].ljust(room)

    return Column("#" + " " * room, text, right=True)


def _shorten_word(text: str, words: Mapping[str, str]) -> str:
    return words.get(text, text) or "-"


def _format_backbone(row: LeaderboardRow) -> str:
    return (row.backbone or "-") + _random_suffix(row)


def _random_suffix(row: LeaderboardRow) -> str:
    return RANDOM_SUFFIX if row.random_weights else ""


def _distinction_formatter(
    listed: Sequence[BoardRow], brief: bool, shorter: Mapping[str, str]
) -> Callable[[BoardRow], str]:
    words = [row.distinction for row in listed]
    words = shortest_distinguishing([display_key(row) for row in listed], words) if brief else words
    texts = {row_key(row): "".join(f" {word}" for word in said) for row, said in zip(listed, words)}
    for long, short in shorter.items():
        texts = {row: text.replace(long, short) for row, text in texts.items()}
    return lambda row: texts[row_key(row)]


def format_smoothing(kernel: str | None, radius: float | None, short: bool = False) -> str:
    """Kernel and radius."""
    if kernel is None:
        return "-"
    return "none" if kernel == "none" or radius == 0 else f"{kernel} {'' if short else 'r='}{radius:g}"


def _has_smoothing_effect(listed: Sequence[LeaderboardRow]) -> bool:
    return any(row.unsmoothed not in (None, row.value) for row in listed)


def sign_option(listed: Sequence[LeaderboardRow], name: str) -> str:
    """The format's sign option: a blank where some number of the board is negative, so that points align."""
    return " " if any(round(getattr(row, name) or 0.0, 3) < 0 for row in listed) else "-"


def _format_value(row: LeaderboardRow, sign: str) -> str:
    if row.value is None:
        return "failed"
    return f"{round(row.value, 3) + 0.0:{sign}.3f}" + (f" ± {row.std:.3f}" if row.std is not None else "")


def format_interval(low: float | None, high: float | None, sign: str) -> str:
    return "-" if low is None or high is None else f"{round(low, 3) + 0.0:{sign}.3f} to {round(high, 3) + 0.0:.3f}"


def _format_seeds(row: LeaderboardRow) -> str:
    done, missing = len(row.seeds), len(row.seeds_missing)
    return f"{done} of {done + missing}" if missing else str(done)


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"


def format_p_value(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def format_percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def format_count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= 0.9995 * size:
            return f"{parameters / size:#.3g}".rstrip(".") + unit
    return str(parameters) if parameters else "-"
