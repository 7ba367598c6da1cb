"""Parse the cells of an image or frame table: splits, expressions, and numbers within a valid range."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.data.annotation_formats import ACTION_UNIT_RULE, AFFECT_RULE, MISSING_WORDS, Rule, shorten
from harness.data.csv_table import Table
from harness.data.expression_words import parse_expression, parse_split
from harness.data.problems import ERROR, Problem
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS

EXPRESSION_NAMES = {name.lower(): code for code, name in enumerate(EXPRESSIONS)} | {"contempt": len(EXPRESSIONS) - 1}
SPLIT_NAMES = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def parse_splits(table: Table) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse the column `split`.

    Returns
    -------
    splits : str array of shape (N,)
        `val` is parsed as `validation`; unknown names become '' and are reported in `faults`.
    faults : tuple of Problem
    """
    return _parse_codes(table, "split", np.arange(len(table)), SPLIT_NAMES, "", np.str_)


def parse_targets(table: Table, output: str, rows: np.ndarray) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse the labels of one output.

    Parameters
    ----------
    table : Table
    output : {"expr", "va", "au"}
    rows : int array
        Rows to parse.

    Returns
    -------
    targets : array
        Labels as in `Labels.targets`; empty and malformed cells have no label.
    faults : tuple of Problem
    """
    if output == "expr":
        return _parse_codes(table, "expression", rows, EXPRESSION_NAMES | {"": -1}, -1, np.int64)
    names, rule, dtype = (
        (AFFECTS, AFFECT_RULE, np.float32) if output == "va" else (ACTION_UNITS, ACTION_UNIT_RULE, np.int8)
    )
    columns = [parse_numbers(table, name, rows, rule) for name in names]
    targets = np.stack([values for values, _ in columns], axis=1).astype(dtype)
    return targets, tuple(fault for _, faults in columns for fault in faults)


def _parse_codes(
    table: Table, column: str, rows: np.ndarray, codes: Mapping[str, Any], missing: object, dtype: type
) -> tuple[np.ndarray, tuple[Problem, ...]]:
    cells, index = np.unique(table.columns[column][rows], return_inverse=True)
    values, messages = parse_words(column, cells, codes, missing, dtype)
    faults = tuple(
        Problem(ERROR, column, message, table.path, int(table.lines[row]))
        for row, i in zip(rows.tolist(), index.tolist())
        if (message := messages[i])
    )
    return values[index], faults


def parse_words(
    column: str, cells: Sequence[str] | np.ndarray, codes: Mapping[str, Any], missing: object, dtype: type
) -> tuple[np.ndarray, list[str | None]]:
    """Parse the distinct cells of a column of words, ignoring case.

    Parameters
    ----------
    column : str
        Name of the column, for messages.
    cells : sequence of str
        K cells.
    codes : mapping of str to object
        Value of each word, in lower case.
    missing : object
        Value of a malformed cell.
    dtype : type
        NumPy type of the values.

    Returns
    -------
    values : array of shape (K,)
    messages : list of str or None
        What is wrong with each cell; None for a valid cell.
    """
    words = [str(cell).lower() for cell in cells]
    values: np.ndarray = np.array([codes.get(word, missing) for word in words], dtype=dtype)
    return values, [
        None if word in codes else _unknown_value_message(column, str(cell), codes) for word, cell in zip(words, cells)
    ]


def _unknown_value_message(column: str, cell: str, codes: Mapping[str, Any]) -> str:
    names = [name for name in codes if name]
    word = cell.lower()
    if word in MISSING_WORDS:
        return f"no {column}; write one of: {', '.join(names)}"
    if column == "expression" and _is_number(cell):
        return f"expression is a number, but datasets number expressions differently; write one of: {', '.join(names)}"
    unknown = f"unknown {column} '{shorten(cell)}'"
    meant = parse_expression(cell) if column == "expression" else parse_split(cell)
    similar = [meant.lower()] if meant else difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"{unknown}; " + (f"did you mean {similar[0]}?" if similar else f"available: {', '.join(names)}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def parse_numbers(table: Table, column: str, rows: np.ndarray, rule: Rule) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse a column of numbers.

    Parameters
    ----------
    table : Table
    column : str
    rows : int array of shape (N,)
        Rows to parse.
    rule : Rule
        Valid values.

    Returns
    -------
    values : array of shape (N,)
        Parsed numbers. Where a cell is malformed or the column does not exist, the value is `rule.missing`, or NaN if
        `rule.missing` is None.
    faults : tuple of Problem
    """
    missing = np.nan if rule.missing is None else rule.missing
    if column not in table.columns:
        return np.full(len(rows), missing), ()
    cells = table.columns[column][rows]
    if (values := rule.parse(cells)) is not None:
        return values, ()
    distinct, index = np.unique(cells, return_inverse=True)
    numbers, messages = parse_distinct_numbers(column, distinct, rule)
    faults = tuple(
        Problem(ERROR, problem_kind(column), message, table.path, int(table.lines[row]))
        for row, i in zip(rows.tolist(), index.tolist())
        if (message := messages[i])
    )
    return numbers[index], faults


def parse_distinct_numbers(column: str, cells: np.ndarray, rule: Rule) -> tuple[np.ndarray, list[str | None]]:
    """Parse the distinct cells of a column of numbers.

    Parameters
    ----------
    column : str
        Name of the column, for messages.
    cells : str array of shape (K,)
    rule : Rule
        Valid values.

    Returns
    -------
    numbers : float64 or int64 array of shape (K,)
        The value of a malformed cell is `rule.missing`, or NaN if `rule.missing` is None.
    messages : list of str or None
        What is wrong with each cell; None for a valid cell.
    """
    if (values := rule.parse(cells)) is not None:
        return values, [None] * len(cells)
    messages = [rule.fault(column, cell) for cell in cells.tolist()]
    sound = np.array([message is None for message in messages], dtype=bool)
    numbers = np.full(len(cells), np.nan if rule.missing is None else rule.missing, np.float64)
    sound_numbers = rule.parse(cells[sound])
    assert sound_numbers is not None  # `parse` and `fault` agree
    numbers[sound] = sound_numbers
    return numbers, messages


def problem_kind(column: str) -> str:
    """Return the `Problem.kind` of malformed cells of a column."""
    return "action unit" if column in ACTION_UNITS else column
