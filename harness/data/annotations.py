"""Parsers of the ABAW annotation files and test lists (formats: Kollias 2022, arXiv 2202.10659).

A valid file is parsed in one vectorized pass. If that fails, a slower pass finds the malformed lines.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.problems import ERROR, Problem
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.errors import InputError

IMAGE_PATTERN = re.compile(r"^([^,\n]+)/(\d{1,9})\.\w+(?=,|$)", re.MULTILINE)
MTL_HEADERS = (("image", *AFFECTS, "expression", "aus"), ("image", *AFFECTS, "expression", *ACTION_UNITS))
MTL_COLUMNS = MTL_HEADERS[1]


@dataclass(frozen=True)
class Rule:
    """Valid values of a column.

    Attributes
    ----------
    number : callable
        Converts the text of a cell, `int` or `float`.
    ok : callable
        Returns whether numbers are valid, element-wise for arrays and for a single number.
    says : str
        Description of the valid values for messages.
    """

    number: Callable[[str], float]
    ok: Callable[[Any], Any]
    says: str

    def fault(self, column: str, cell: str) -> str | None:
        """Return what is wrong with one cell, or None."""
        try:
            value = self.number(cell) if "_" not in cell else None
        except ValueError:
            value = None
        if value is None:
            kind = "an integer" if self.number is int else "a number"
            return f"{column} is '{cell.strip()}', not {kind}; write {self.says}"
        return None if self.ok(np.asarray(value)) else f"{column} is {cell.strip()}; it must be {self.says}"


AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -5), "a number from -1 to 1, or -5 for no label")
EXPRESSION_RULE = Rule(
    int, lambda v: (v >= -1) & (v < len(EXPRESSIONS)), f"a class from 0 to {len(EXPRESSIONS) - 1}, or -1 for no label"
)
ACTION_UNIT_RULE = Rule(int, lambda v: (v >= -1) & (v <= 1), "0, 1, or -1 for no label")


@dataclass(frozen=True)
class AnnotationFormat:
    """Format of an annotation file of one video: a header, then one line per frame.

    Attributes
    ----------
    task : str
    header : tuple of str
        Cells of the header.
    names : tuple of str
        Names of the columns for messages.
    rule : Rule
        Valid values of all columns.
    dtype : type
        NumPy type of the labels.
    """

    task: str
    header: tuple[str, ...]
    names: tuple[str, ...]
    rule: Rule
    dtype: type


FORMATS = {
    "va": AnnotationFormat("va", AFFECTS, AFFECTS, AFFECT_RULE, np.float32),
    "expr": AnnotationFormat("expr", EXPRESSIONS, ("expression",), EXPRESSION_RULE, np.int64),
    "au": AnnotationFormat("au", ACTION_UNITS, ACTION_UNITS, ACTION_UNIT_RULE, np.int8),
}


@dataclass(frozen=True)
class ImageRows:
    """Rows that name an image as `video/frame.jpg`.

    Attributes
    ----------
    videos : tuple of str
        Names of the videos, sorted.
    index : int32 array of shape (N,)
        Index of each row's video in `videos`.
    frame : int32 array of shape (N,)
        Frame number of each row.
    """

    videos: tuple[str, ...]
    index: np.ndarray
    frame: np.ndarray


def read_text(path: Path) -> str:
    """Read a UTF-8 text file without its byte-order mark; raise InputError if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not a text file ({error.reason} at byte {error.start}); replace it with the annotation file"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


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
        For the first malformed line; the message names file and line.
    """
    layout, text = formats[task], read_text(path)
    values = None
    if split_cells(text.partition("\n")[0]) == layout.header:
        values = parse_numbers(text, layout.rule, len(layout.names), None)
    if values is None:
        raise first_fault_error(frame_faults(path, task, formats), path)
    return values[:, 0].astype(layout.dtype) if task == "expr" else values.astype(layout.dtype)


def frame_faults(path: Path, task: str, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Yield the problems of the file of one video in line order; stop at a wrong header."""
    layout = formats[task]
    yield from file_faults(path, (layout.header,), lambda cells: row_fault(cells, layout.names, layout.rule))


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
        In file order, duplicates included.
    targets : dict of str to array
        `va`, `expr` and `au`, as in `Labels.targets`.

    Raises
    ------
    InputError
        For the first malformed line; the message names file and line.
    """
    text = read_text(path)
    header, _, body = text.rstrip().partition("\n")
    affects = action_units = expressions = rows = None
    if split_cells(header) in MTL_HEADERS and body.count(",") == (body.count("\n") + 1) * (len(MTL_COLUMNS) - 1):
        affects = parse_numbers(text, formats["va"].rule, 2, range(1, 3))
        action_units = parse_numbers(text, formats["au"].rule, 12, range(4, 16))
        expressions = parse_numbers(text, formats["expr"].rule, 1, range(3, 4))
        rows = _parse_image_rows(body)
    if (
        rows is None
        or affects is None
        or action_units is None
        or expressions is None
        or len(rows.frame) != len(affects)
    ):
        raise first_fault_error(multitask_faults(path, formats), path)
    targets = {"va": affects.astype(np.float32), "expr": expressions[:, 0], "au": action_units.astype(np.int8)}
    return rows, targets


def multitask_faults(path: Path, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Yield the problems of an MTL file in line order; stop at a wrong header."""
    yield from file_faults(path, MTL_HEADERS, lambda cells: _multitask_row_fault(cells, formats))


def read_image_rows(path: Path) -> ImageRows:
    """Read the images named by an MTL file or its test list, without parsing labels.

    Raises
    ------
    InputError
        For the first line after the header that does not start with an image.
    """
    lines = read_text(path).rstrip().split("\n")[1:]
    if not lines:
        raise InputError(f"{path}: no image is listed; each line after the header must start with video/00001.jpg")
    rows = _parse_image_rows("\n".join(lines))
    if len(rows.frame) != len(lines):
        number = next(i for i, line in enumerate(lines, start=2) if not IMAGE_PATTERN.match(line))
        raise InputError(
            f"{path}:{number}: '{lines[number - 2][:60]}' does not start with an image, such as video1/00001.jpg"
        )
    return rows


def read_test_list(path: Path) -> tuple[str, ...]:
    """Read the names of the test videos of a list without a header, in file order, without duplicates."""
    names = tuple(dict.fromkeys(line.strip() for line in read_text(path).splitlines() if line.strip()))
    if not names:
        raise InputError(f"{path}: the test list is empty; put one video name on each line")
    return names


def has_image_column(path: Path) -> bool:
    """Return whether a test list has a header and names images: the MTL list, and lists since the fifth challenge."""
    return split_cells(read_text(path).partition("\n")[0])[0].lower() in ("image", "image_location")


def read_test_videos(path: Path) -> tuple[str, ...]:
    """Read the videos of a test list, without duplicates: in file order, or sorted if the list names images."""
    return read_image_rows(path).videos if has_image_column(path) else read_test_list(path)


def split_cells(line: str) -> tuple[str, ...]:
    """Split a line at commas and strip the cells."""
    return tuple(cell.strip() for cell in line.split(","))


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
        int64 or float64; None if any line is malformed or breaks the rule.
    """
    lines = text.rstrip().split("\n")
    if len(lines) < 2:
        return None
    dtype = np.float64 if rule.number is float else np.int64
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.loadtxt(lines, dtype, comments=None, delimiter=",", skiprows=1, usecols=columns, ndmin=2)
    except (ValueError, OverflowError, Warning):
        return None
    valid = values.shape == (len(lines) - 1, width) and bool(rule.ok(values).all())
    return values if valid else None


def _parse_image_rows(body: str) -> ImageRows:
    matches = IMAGE_PATTERN.findall(body)
    videos, frames = zip(*matches) if matches else ((), ())
    names, index = np.unique(np.array(videos, dtype=np.str_), return_inverse=True)
    frame = np.array(frames, dtype=np.str_).astype(np.int32) if matches else np.zeros(0, np.int32)
    return ImageRows(tuple(names.tolist()), index.astype(np.int32), frame)


def first_fault_error(faults: Iterator[Problem], path: Path) -> InputError:
    """Return the error for the first problem of a file."""
    fault = next(faults, None)
    return fault.to_exception() if fault else InputError(f"{path}: cannot be read as an annotation file")


def file_faults(
    path: Path, headers: tuple[tuple[str, ...], ...], row_fault: Callable[[list[str]], str | None]
) -> Iterator[Problem]:
    """Yield the problems of an annotation file in line order; stop at a wrong header.

    Parameters
    ----------
    path : Path
    headers : tuple of tuple of str
        Valid headers.
    row_fault : callable
        Returns what is wrong with the cells of a line, or None.

    Yields
    ------
    Problem
    """
    try:
        text = read_text(path)
    except InputError as error:
        yield Problem(ERROR, "annotation", str(error).removeprefix(f"{path}: "), path)
        return
    lines = text.rstrip().split("\n")
    expected = ",".join(headers[0])
    if not text.strip():
        yield Problem(ERROR, "annotation", f"the file is empty; its first line must be '{expected}'", path)
        return
    if split_cells(lines[0]) not in headers:
        header = lines[0] if len(lines[0]) <= 80 else lines[0][:77] + "..."
        yield Problem(ERROR, "annotation", f"the header is '{header}'; it must be '{expected}'", path, 1)
        return
    if len(lines) == 1:
        yield Problem(ERROR, "annotation", "the file is empty: no line follows its header", path, 1)
    for number, line in enumerate(lines[1:], start=2):
        blank = "the line is blank; each line is one frame, so write its label or the value for no label"
        message = row_fault(line.split(",")) if line.strip() else blank
        if message:
            yield Problem(ERROR, "annotation", message, path, number)


def row_fault(cells: list[str], names: tuple[str, ...], rule: Rule) -> str | None:
    """Return what is wrong with the cells of a line, or None."""
    if len(cells) != len(names):
        noun = "column" if len(cells) == 1 else "columns"
        return f"{len(cells)} {noun}, but {len(names)} are needed ({','.join(names)})"
    return next((fault for name, cell in zip(names, cells) if (fault := rule.fault(name, cell))), None)


def _multitask_row_fault(cells: list[str], formats: Mapping[str, AnnotationFormat]) -> str | None:
    if len(cells) != len(MTL_COLUMNS):
        return f"{len(cells)} columns, but {len(MTL_COLUMNS)} are needed ({','.join(MTL_COLUMNS)})"
    if not IMAGE_PATTERN.fullmatch(cells[0]):
        return f"image is '{cells[0]}'; it must be video/frame, such as video1/00001.jpg"
    blocks = (("va", cells[1:3]), ("expr", cells[3:4]), ("au", cells[4:]))
    faults = (row_fault(block, formats[name].names, formats[name].rule) for name, block in blocks)
    return next((fault for fault in faults if fault), None)
