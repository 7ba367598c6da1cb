"""Boards of the leaderboard: heading, columns, footnotes and legend.

A board is the table of all rows with the same task, dataset, split and protocol. Statistics are the sufficient
statistics per video or subject that each job saves; see `harness.metrics.unit_statistics`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from functools import partial

from backbones.errors import join_first
from harness.leaderboard.board import Board
from harness.leaderboard.class_notes import few_units_note, rare_classes_note
from harness.leaderboard.columns import MARKS, format_marks, leaderboard_columns, published_notes
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.table_layout import Column, Wording, join_phrases
from harness.metrics.rare_classes import MIN_LABELS
from harness.utils.text import plural

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
METRIC_DESCRIPTIONS = {
    "P_EXPR": "mean F1 of 8 expressions",
    "P_VA": "mean CCC of valence and arousal",
    "P_AU": "mean F1 of 12 action units",
    "P_MTL": "P_VA + P_EXPR + P_AU",
}
DROPPED = ("params", "coverage", "p-value", "raw", "without rare")
"""Columns that are dropped from a narrow table, in this order, before names are shortened."""
DROPPED_LAST = ("note", "source", "seeds", "95% CI", "smoothing", "run id", "features")
"""Columns that are dropped, in this order, if the table is still too wide after names were shortened."""
INTERVAL_METHODS = {
    "jackknife": "around the score corrected for bias, from a jackknife over {units} and seeds",
    "records": "mean of the seeds' intervals, for runs without statistics in this store",
}
"""Descriptions of the interval methods; `{units}` is replaced by "videos" or "subjects"."""
MAX_PROBLEMS = 5
"""Maximum number of jobs with altered files that are named under a board, and also of runs without statistics."""
SHAREABLE_COLUMNS = ("seeds", "smoothing", "coverage")
"""Columns whose value moves into the subheading if it is the same for all rows of a board."""


def make_board(board_rows: Sequence[LeaderboardRow], rows: Sequence[LeaderboardRow], run_length: int) -> Board:
    """Build one board.

    Parameters
    ----------
    board_rows : sequence of LeaderboardRow
        The rows of the board.
    rows : sequence of LeaderboardRow
        The rows of all boards that are printed together.
    run_length : int
        Number of characters shown of each run id.

    Returns
    -------
    Board
    """
    return Board(
        rows=board_rows,
        columns=partial(_unshared_columns, board_rows, run_length),
        heading=board_title(board_rows, rows),
        subheading=_subheading(board_rows),
        notes=_footnotes(board_rows),
        table_notes=_numbered_notes(board_rows),
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
        more="columns were left out: a wider terminal, --format csv or --out FILE shows them all",
        expected=DROPPED_LAST,
        closed=False,
        apart=sum(row.oracle for row in board_rows),
        apart_title="Oracles, which use the labels of the reported split:",
    )


def board_title(board_rows: Sequence[BoardRow], rows: Sequence[BoardRow]) -> list[str]:
    """List the phrases of a board's title: task and dataset, split, metric, and a mark of optimistic scores.

    The name of the dataset is followed by a part of its digest if, in `rows`, several datasets of the task have this
    name.
    """
    first = board_rows[0]
    dataset = min(row.dataset for row in board_rows)
    digests = {row.data_digest for row in rows if row.dataset == dataset and row.task == first.task}
    label = f"{dataset} [{first.data_digest[:6]}]" if len(digests - {""}) > 1 else dataset
    description = METRIC_DESCRIPTIONS.get(first.metric)
    return [
        f"{TITLES.get(first.task, first.task)} on {label}",
        f"{first.split} split",
        f"{first.metric} ({description})" if description else first.metric,
        *(["OPTIMISTIC: selected on the reported split"] if first.optimistic else []),
    ]


def _subheading(rows: Sequence[LeaderboardRow]) -> list[str]:
    """List what all rows of the board have in common."""
    if all(row.kind == "published" for row in rows):
        return ["published figures"]
    shared = _shared_columns(rows)
    texts = {
        column.name: column.text(_representative_rows(column, rows)[0])
        for column in leaderboard_columns(rows, 0)
        if column.name in shared
    }
    largest = max(rows, key=lambda row: row.units)
    phrases = [plural(largest.units, largest.unit, "d")] if largest.units else []
    formats = {
        "seeds": "{} seed" if texts.get("seeds", "").split()[-1:] == ["1"] else "{} seeds",
        "smoothing": "no smoothing" if texts.get("smoothing") == "none" else "smoothing {}",
        "coverage": "coverage {}",
    }
    texts["seeds"] = texts.get("seeds", "-").replace(" x ", " trainings x ")
    return [
        *phrases,
        f"{rows[0].protocol} protocol{format_refit(rows)}",
        *(formats[name].format(texts[name]) for name in SHAREABLE_COLUMNS if texts.get(name, "-") != "-"),
    ]


def format_refit(rows: Sequence[LeaderboardRow]) -> str:
    """Return a phrase on whether the runs of a board were refitted on all training videos; empty if not applicable."""
    settings = {row.refit for row in rows if row.kind == "run"} or {row.refit for row in rows}
    units = f"{rows[0].unit}s"
    if len(settings) > 1:
        return f", refit on all training {units} unless refit=false"
    texts = {True: f", refit on all training {units}", False: f", not refit on the held-out {units}", None: ""}
    return texts[settings.pop()]


def _unshared_columns(rows: Sequence[LeaderboardRow], run_length: int, wording: Wording) -> list[Column]:
    shared = _shared_columns(rows)
    return [column for column in leaderboard_columns(rows, run_length, wording) if column.name not in shared]


def _shared_columns(rows: Sequence[LeaderboardRow]) -> set[str]:
    return {
        column.name
        for column in leaderboard_columns(rows, 0)
        if column.name in SHAREABLE_COLUMNS
        and len({column.text(row) for row in _representative_rows(column, rows)}) == 1
    }


def _representative_rows(column: Column, rows: Sequence[LeaderboardRow]) -> Sequence[LeaderboardRow]:
    """Select the rows that the subheading describes.

    For the column of seeds, these are only the runs, because baselines and published figures have one seed.
    """
    runs = [row for row in rows if row.kind == "run"]
    unpublished = [row for row in rows if row.kind != "published"]
    return (runs if column.name == "seeds" else unpublished) or unpublished or rows


def _footnotes(rows: Sequence[LeaderboardRow]) -> list[str]:
    """List the notes that concern the board as a whole."""
    notes = []
    detectable = [row.detectable for row in rows if row.p_value is not None and row.kind == "run"]
    differences = [difference for difference in detectable if difference is not None]
    largest = max(rows, key=lambda row: row.units)
    units = plural(largest.units, largest.unit, "d")
    if differences:
        notes.append(
            f"minimum detectable difference with {units} (80% power): {statistics.median(differences):.3f}"
            + (f" (median of {len(differences)} runs)" if len(differences) > 1 else "")
        )
    elif detectable:
        notes.append(f"with {units} no difference to the best can be significant")
    notes += _training_notes(rows)
    leader = rows[0]
    if leader.expected_luck is not None:
        notes.append(
            f"{leader.configurations} configurations, without baselines, scored on this split: if all were equally "
            f"good, the best would still be {leader.expected_luck:.3f} above their mean, by luck"
        )
    undefined = Counter(name for row in rows for name in row.undefined)
    if undefined:
        names = ", ".join(f"{name} in {plural(count, 'row', 'd')}" for name, count in sorted(undefined.items()))
        notes.append(f"undefined, counted as 0: {names}")
    problems = [problem for row in rows for problem in row.problems]
    more = len(problems) - MAX_PROBLEMS
    notes += problems[:MAX_PROBLEMS] + (
        [f"{plural(more, 'more job')} with altered files; JSON has all"] if more > 0 else []
    )
    return [*notes, *_missing_statistics_note(rows), *few_units_note(rows), *rare_classes_note(rows)]


def _missing_statistics_note(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Name the ranked rows whose scores cannot be verified because statistics are missing."""
    missing = [row.run_id for row in rows if row.has_statistics is False]
    if not missing:
        return []
    scores, their = ("score", "its") if len(missing) == 1 else ("scores", "their")
    return [
        f"the {scores} of {join_first(missing, MAX_PROBLEMS)} could not be verified: {their} statistics are "
        "missing (mark n)"
    ]


def _training_notes(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Describe how much scores vary between trainings of the backbone, or state that there was only one training."""
    runs = [row for row in rows if row.kind == "run" and row.value is not None and not row.random_weights]
    notes, single = [], sum(not row.trainings for row in runs)
    parts = [(row.std_trainings, row.std_seeds) for row in runs if row.std_trainings is not None]
    if parts:
        between = statistics.median(trainings for trainings, _ in parts if trainings is not None)
        within = [seeds for _, seeds in parts if seeds is not None]
        seeds = (
            f", between seeds of the head {statistics.median(within):.3f}"
            if within
            else " (including seeds of the head)"
        )
        median = f" (medians of {len(parts)} runs)" if len(parts) > 1 else ""
        notes.append(f"standard deviation between trainings of the backbone {between:.3f}{seeds}{median}")
    if single:
        where = "" if single == len(runs) else f" in {plural(single, 'row', 'd')}"
        notes.append(f"one training of the backbone{where}: the 95% CI does not cover differences between trainings")
    return notes


def _numbered_notes(rows: Sequence[LeaderboardRow]) -> list[str]:
    notes = " ".join(f"({number}) {note}" for number, note in enumerate(published_notes(rows), 1))
    return [f"notes: {notes}"] if notes else []


def board_legend(rows: Sequence[LeaderboardRow], names: set[str], width: int) -> list[str]:
    """Explain the marks and columns that occur.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The rows of all boards.
    names : set of str
        Headings of the columns that are shown.
    width : int
        Characters of a line.

    Returns
    -------
    list of str
        A single paragraph.
    """
    marks = {mark for row in rows for mark in format_marks(row)}
    methods = {row.ci_method for row in rows}
    smoothed = any(row.radius for row in rows)
    entries = [
        *((mark, meaning, mark in marks) for mark, meaning in MARKS.items()),
        ("(random)", "backbone with random weights", any(row.random_weights for row in rows)),
        ("smoothing", "kernel and radius in frames", "smoothing" in names and smoothed),
        ("mixed", "seeds use different kernels (radius: their median)", any(row.kernel == "mixed" for row in rows)),
        ("raw", "score without smoothing", "raw" in names),
        ("without rare", f"score without classes of fewer than {MIN_LABELS} labels", "without rare" in names),
        ("corrected", "score corrected for the bias of few {units}", "corrected" in names),
        ("±", f"standard deviation over {_repeated(rows)}", any(row.std is not None for row in rows)),
        ("2 x 3", "2 trainings of the backbone, 3 seeds each", "seeds" in names and any(row.trainings for row in rows)),
        ("coverage", "labeled frames that were scored", "coverage" in names),
        *(("95% CI", text, "95% CI" in names and method in methods) for method, text in INTERVAL_METHODS.items()),
        ("p-value", "permutation test against the best, corrected for the number of rows", "p-value" in names),
    ]
    phrases = [explain(term, meaning, rows) for term, meaning, used in entries if used]
    return [join_phrases(phrases, width)]


def _repeated(rows: Sequence[LeaderboardRow]) -> str:
    return "trainings of the backbone and seeds" if any(row.trainings for row in rows) else "seeds"


def explain(term: str, meaning: str, rows: Sequence[BoardRow]) -> str:
    """Format an entry of a legend, such as `b: baseline`; signs such as `=` take no colon.

    `{units}` in the meaning is replaced by the units of the rows, such as "videos".
    """
    units = " or ".join(dict.fromkeys(f"{row.unit}s" for row in rows))
    return f"{term}{' ' if term in ('=', '±', '*') else ': '}{meaning.format(units=units)}"
