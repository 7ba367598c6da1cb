"""The columns of a board: what each cell says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from harness.leaderboard.differing_settings import shortest_distinguishing
from harness.leaderboard.row_types import BoardRow, Row
from harness.leaderboard.rows import display_key, row_key
from harness.leaderboard.table_layout import FULL, Column, Wording

RANDOM = " (random)"
SHORT_WORDS = {"logistic_regression": "logistic", "multitask": "multi", "embeddings": "emb",
               "embeddings+scores": "emb+scores"}
"""Words of cells in a table that is short of room."""
SHORT_SETTINGS = {"hidden=": "h="}
MARKS = {"=": "tied, so ranked 1: these {units} cannot tell it from the best (paired test, 5 %, Holm)",
         "n": "not tested: it was scored on other frames than the best, or its counts are not kept",
         "b": "baseline", "p": "published figure, not ranked",
         "l": "labels: it reads those of the reported split; not ranked",
         "s": "scores: its features hold scores of what is predicted",
         "u": "some metric is undefined and counts as 0"}


def columns(listed: Sequence[Row], run_length: int, wording: Wording = FULL) -> list[Column]:
    """Every column of the leaderboard; run ids are cut to `run_length` characters."""
    number_of = {note: str(place) for place, note in enumerate(notes(listed), 1)}
    bound = sign(listed, "ci_low")
    shown = [
        rank_column(listed),
        *naming(listed, wording),
        Column("smoothing", lambda row: smoothing(row.kernel, row.radius, wording.short)),
        Column(listed[0].metric, partial(_value, sign=sign(listed, "value"))),
        Column("95 % interval", lambda row: interval(row.ci_low, row.ci_high, bound)),
        Column("p", lambda row: probability(row.p_value)),
        Column("raw", lambda row: number(row.unsmoothed), right=True),
        Column("seeds", _seeds, right=True),
        Column("cover", lambda row: percent(row.coverage), right=True),
        Column("params", lambda row: count(row.parameters), right=True),
        Column("note", lambda row: number_of.get(row.note, "-") if wording.numbered else row.note or "-"),
        Column("source" if all(row.source for row in listed) else "run",
               lambda row: row.source or row.run_id[:run_length], shrinks=True),
    ]
    silent = {"raw": not _smoothing_matters(listed), "note": not number_of}
    return [column for column in shown if not silent.get(column.name)]


def naming(listed: Sequence[BoardRow], wording: Wording) -> list[Column]:
    """Backbone, features and head with what tells rows apart."""
    distinction = _distinctions(listed, wording.brief, SHORT_SETTINGS if wording.short else {})
    words = SHORT_WORDS if wording.short else {}
    return [
        Column("backbone", _backbone, shrinks=True, end=_weights),
        Column("features", lambda row: _word(row.features, words), shrinks=True),
        Column("head", lambda row: _word(row.head, words) + distinction(row), shrinks=True, end=distinction),
    ]


def notes(listed: Sequence[Row]) -> list[str]:
    """What publications say of their figures, each once."""
    return list(dict.fromkeys(row.note for row in listed if row.note))


def flags_column(row: Row) -> str:
    """The letters of MARKS that hold of the row."""
    held = {"=": bool(row.tied_with_best) and row.p_value is not None, "n": row.untested,
            "b": row.kind == "baseline",
            "p": row.kind == "published", "l": "uses_labels" in row.flags, "s": "own_scores" in row.flags,
            "u": bool(row.undefined)}
    return "".join(mark for mark, holds in held.items() if holds)


def rank_column(listed: Sequence[Row]) -> Column:
    """Ranks right-aligned, their marks left-aligned after them."""
    width = max(len(flags_column(row)) for row in listed)
    room = width + 1 if width else 0

    def text(row: Row) -> str:
        return ("-" if row.rank is None else str(row.rank)) + f" {flags_column(row)}"[:room].ljust(room)

    return Column("#" + " " * room, text, right=True)


def _word(text: str, words: Mapping[str, str]) -> str:
    return words.get(text, text) or "-"


def _backbone(row: Row) -> str:
    return (row.backbone or "-") + _weights(row)


def _weights(row: Row) -> str:
    return RANDOM if row.random_weights else ""


def _distinctions(listed: Sequence[BoardRow], brief: bool, shorter: Mapping[str, str]) -> Callable[[BoardRow], str]:
    words = [row.distinction for row in listed]
    words = shortest_distinguishing([display_key(row) for row in listed], words) if brief else words
    texts = {row_key(row): "".join(f" {word}" for word in said) for row, said in zip(listed, words)}
    for long, short in shorter.items():
        texts = {row: text.replace(long, short) for row, text in texts.items()}
    return lambda row: texts[row_key(row)]


def smoothing(kernel: str | None, radius: float | None, short: bool = False) -> str:
    """Kernel and radius."""
    if kernel is None:
        return "-"
    return "none" if kernel == "none" or radius == 0 else f"{kernel} {'' if short else 'r='}{radius:g}"


def _smoothing_matters(listed: Sequence[Row]) -> bool:
    return any(row.unsmoothed not in (None, row.value) for row in listed)


def sign(listed: Sequence[Row], name: str) -> str:
    """The format's sign option: a blank where some number of the board is negative, so that points align."""
    return " " if any(round(getattr(row, name) or 0.0, 3) < 0 for row in listed) else "-"


def _value(row: Row, sign: str) -> str:
    if row.value is None:
        return "failed"
    return f"{round(row.value, 3) + 0.0:{sign}.3f}" + (f" ± {row.std:.3f}" if row.std is not None else "")


def interval(low: float | None, high: float | None, sign: str) -> str:
    return "-" if low is None or high is None else f"{round(low, 3) + 0.0:{sign}.3f} to {round(high, 3) + 0.0:.3f}"


def _seeds(row: Row) -> str:
    done, missing = len(row.seeds), len(row.seeds_missing)
    return f"{done} of {done + missing}" if missing else str(done)


def number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"


def probability(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= 0.9995 * size:
            return f"{parameters / size:#.3g}".rstrip(".") + unit
    return str(parameters) if parameters else "-"
