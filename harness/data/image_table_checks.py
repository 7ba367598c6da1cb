"""Problems of an image table beyond malformed cells, such as missing images, duplicates and leaks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.data.annotation_formats import ACTION_UNIT_RULE, AFFECT_RULE, MISSING_WORDS, shorten
from harness.data.csv_table import Table
from harness.data.image_paths import ImagePaths
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.table_images import TableImages
from harness.metrics.tasks import ACTION_UNITS, AFFECTS
from harness.utils.names import folded_name
from harness.utils.text import plural

MAX_EXPLAINED = 200
"""Maximum number of missing images for which a similar name is searched."""


MAX_NAME = 200
NO_NAME = "no image file (the cell is empty)"
_PARTS = {
    "va": (AFFECTS, AFFECT_RULE, "one of valence and arousal", "valence and arousal"),
    "au": (ACTION_UNITS, ACTION_UNIT_RULE, "some of the twelve action units", "action units"),
}
"""Columns and valid values of each output, and how a message names some of its labels and all of them."""


class CheckableTable(Protocol):
    """Attributes of `ImageTable` that the checks use."""

    csv: Path
    table: Table
    split: np.ndarray

    @property
    def images(self) -> TableImages:
        """Images of the rows."""

    @property
    def subjects(self) -> np.ndarray:
        """Subject of each row."""


def find_problems(table: CheckableTable) -> Iterator[Problem]:
    """Yield missing images, duplicates, leaks, unclear subjects and incomplete columns."""
    yield from _find_missing_images(table)
    yield from _find_duplicate_rows(table)
    yield from _find_leaks(table)
    yield from _find_unclear_subjects(table)
    yield from find_missing_columns(table.csv, table.table.header_line, table.table.columns)


def _find_missing_images(table: CheckableTable) -> Iterator[Problem]:
    paths = ImagePaths(table.images.folder)
    if message := table.images.explain_lack():
        yield Problem(ERROR, "missing image", message, table.csv)
        return
    for number, row in enumerate(np.flatnonzero(~table.images.exist).tolist()):
        name = table.images.names[row]
        reason = paths.explain(name) if number < MAX_EXPLAINED else ""
        message = f"no image file {shorten(name, MAX_NAME)}{reason and '; '}{reason}" if name else NO_NAME
        yield Problem(ERROR, "missing image", message, table.csv, int(table.table.lines[row]))


def _find_duplicate_rows(table: CheckableTable) -> Iterator[Problem]:
    _, first, inverse = np.unique(table.images.distinct, return_index=True, return_inverse=True)
    for row in np.flatnonzero(first[inverse] != np.arange(len(inverse))):
        message = f"{table.images.names[row]} is already on line {table.table.lines[first[inverse][row]]}"
        yield Problem(WARNING, "duplicate row", message, table.csv, int(table.table.lines[row]))


def _find_leaks(table: CheckableTable) -> Iterator[Problem]:
    lines = table.table.lines
    names, first, inverse = np.unique(table.subjects, return_index=True, return_inverse=True)
    reported = set()
    for row in np.flatnonzero((table.split != table.split[first[inverse]]) & (table.split != "")):
        start, key = first[inverse[row]], (inverse[row], table.split[row])
        if key not in reported and table.split[start]:
            reported.add(key)
            message = (
                f"subject '{names[inverse[row]]}' is in {table.split[row]} here and in {table.split[start]} "
                f"on line {lines[start]}; keep each subject in one split"
            )
            yield Problem(ERROR, "leak", message, table.csv, int(lines[row]))


def _find_unclear_subjects(table: CheckableTable) -> Iterator[Problem]:
    if "subject" in table.table.columns:
        names, first, counts = np.unique(table.table.columns["subject"], return_index=True, return_counts=True)
        yield from find_unclear_subjects(table.csv, names.tolist(), table.table.lines[first].tolist(), counts.tolist())


def find_unclear_subjects(
    path: Path, names: Sequence[str], lines: Sequence[int], counts: Sequence[int]
) -> Iterator[Problem]:
    """Yield a problem for each subject named by a word for a missing value, and for names that differ only in spelling.

    Parameters
    ----------
    path : Path
        File of the table.
    names : sequence of str
        Distinct names; '' is no name.
    lines, counts : sequence of int
        First line with each name, and number of rows with it.
    """
    spellings: dict[str, str] = {}
    for name, line, count in zip(names, lines, counts):
        if name and name.lower() in MISSING_WORDS:
            message = (
                f"'{name}' is read as the name of one subject, with {plural(count, 'row')}; leave the cells empty "
                "if the subject is unknown"
            )
            yield Problem(WARNING, "subject", message, path, line)
        other = spellings.setdefault(folded_name(name), name)
        if other != name:
            message = f"subjects '{other}' and '{name}' differ in spelling alone; write them alike if they are one"
            yield Problem(WARNING, "subject", message, path, line)


def find_missing_columns(path: Path, line: int, columns: Collection[str]) -> Iterator[Problem]:
    """Yield a warning for each task of which a table has only some columns; `line` is the line of the header."""
    action_units = [name for name in ACTION_UNITS if name not in columns]
    if 0 < len(action_units) < len(ACTION_UNITS):
        message = f"no column {', '.join(action_units)}; task au needs all twelve"
        yield Problem(WARNING, "columns", message, path, line)
    affects = [name for name in AFFECTS if name not in columns]
    if len(affects) == 1:
        message = f"no column {affects[0]}; task va needs valence and arousal"
        yield Problem(WARNING, "columns", message, path, line)


def find_partial_labels(
    path: Path, output: str, targets: np.ndarray, noun: str, line_of: Callable[[int, str], int]
) -> Iterator[Problem]:
    """Yield a warning if rows have labels in only some of the columns of an output; such rows are not valid.

    Parameters
    ----------
    path : Path
        File of the table.
    output : {"expr", "va", "au"}
    targets : array of N rows
        See `Labels.targets`.
    noun : str
        Word for a row in the message, such as `frame`.
    line_of : callable
        Returns the line of a label from its row and column.
    """
    if output == "expr":
        return
    names, rule, some, title = _PARTS[output]
    labeled = targets != rule.missing
    counts = np.count_nonzero(labeled, axis=1)
    partial = np.flatnonzero((counts > 0) & (counts < len(names)))
    if len(partial):
        first = int(partial[0])
        absent = ", ".join(name for name, present in zip(names, labeled[first]) if not present)
        message = (
            f"{plural(len(partial), noun)} with labels of only {some} (here not of {absent}); not used for {title}"
        )
        line = line_of(first, names[int(np.argmax(labeled[first]))])
        yield Problem(WARNING, "partial label", message, path, line)
