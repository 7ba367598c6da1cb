"""Parsers of the ABAW annotation files (formats: Kollias 2022, arXiv 2202.10659).

A valid file is parsed in one vectorized pass. If that fails, `harness.data.annotation_faults` finds the
malformed lines.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.data.annotation_faults import first_fault_error, frame_faults, multitask_faults
from harness.data.annotation_formats import (
    FORMATS,
    MTL_COLUMNS,
    MTL_HEADERS,
    AnnotationFormat,
    Rule,
    read_text,
    split_cells,
)
from harness.data.image_rows import ImageRows, parse_image_rows


def read_frames(path: Path, task: str, formats: Mapping[str, AnnotationFormat] = FORMATS) -> np.ndarray:
    """Read the labels of one video.

    Parameters
    ----------
    path : Path
    task : {"va", "expr", "au"}
    formats : mapping of str to AnnotationFormat, optional
        File format by task.

    Returns
    -------
    array
        `va` float32 (T, 2), `expr` int64 (T,) or `au` int8 (T, 12); row i is frame i + 1.

    Raises
    ------
    InputError
        If the file cannot be read or a line is malformed. The message names the file and the first malformed line.
    """
    layout, text = formats[task], read_text(path)
    values = None
    if split_cells(text.partition("\n")[0]) == layout.header:
        values = parse_numbers(text, layout.rule, len(layout.names), None)
    if values is None:
        raise first_fault_error(frame_faults(path, task, formats), path)
    return values[:, 0].astype(layout.dtype) if task == "expr" else values.astype(layout.dtype)


def read_multitask(
    path: Path, formats: Mapping[str, AnnotationFormat] = FORMATS
) -> tuple[ImageRows, dict[str, np.ndarray]]:
    """Read a multi-task (MTL) file.

    Parameters
    ----------
    path : Path
    formats : mapping of str to AnnotationFormat, optional
        Format of the columns by output.

    Returns
    -------
    rows : ImageRows
        Rows in file order, duplicates included.
    targets : dict of str to array
        `va`, `expr` and `au`, as in `Labels.targets`.

    Raises
    ------
    InputError
        If the file cannot be read or a line is malformed. The message names the file and the first malformed line.
    """
    text = read_text(path)
    header, _, body = text.rstrip().partition("\n")
    affects = action_units = expressions = rows = None
    if split_cells(header) in MTL_HEADERS and body.count(",") == (body.count("\n") + 1) * (len(MTL_COLUMNS) - 1):
        affects = parse_numbers(text, formats["va"].rule, 2, range(1, 3))
        action_units = parse_numbers(text, formats["au"].rule, 12, range(4, 16))
        expressions = parse_numbers(text, formats["expr"].rule, 1, range(3, 4))
        rows = parse_image_rows(body)
    if (
        rows is None
        or not rows.valid
        or affects is None
        or action_units is None
        or expressions is None
        or len(rows.frame) != len(affects)
    ):
        raise first_fault_error(multitask_faults(path, formats), path)
    targets = {"va": affects.astype(np.float32), "expr": expressions[:, 0], "au": action_units.astype(np.int8)}
    return rows, targets


def parse_numbers(text: str, rule: Rule, width: int, columns: range | None) -> np.ndarray | None:
    """Parse the lines after the header.

    Parameters
    ----------
    text : str
    rule : Rule
    width : int
        Expected number of columns.
    columns : range or None
        Columns to parse; None for all.

    Returns
    -------
    array of shape (N, width) or None
        int64 or float64; None if there is no line, or any line is malformed or breaks the rule.
    """
    lines = text.rstrip().split("\n")
    if len(lines) < 2:
        return None
    shape = (len(lines) - 1, width)
    for dtype in rule.dtypes:
        values = _load(lines, dtype, columns)
        if values is not None and values.shape == shape and (parsed := rule.validate(values)) is not None:
            return parsed
    cells = _load(lines, np.str_, columns)
    if cells is None or cells.shape != shape or (columns is None and width == 1 and (np.char.strip(cells) == "").any()):
        return None  # a blank line is malformed
    return rule.parse(cells)


def _load(lines: list[str], dtype: type, columns: range | None) -> np.ndarray | None:
    """Return the cells of the lines after the first as an array (N, K), or None if numpy cannot parse them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.loadtxt(lines, dtype, comments=None, delimiter=",", skiprows=1, usecols=columns, ndmin=2)
    except (ValueError, OverflowError, Warning):
        return None
