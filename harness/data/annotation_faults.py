"""Malformed lines of annotation files. The lines are checked one by one when the fast parser rejects a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.data.annotation_formats import (
    FORMATS,
    IMAGE_PATTERN,
    MTL_COLUMNS,
    MTL_HEADERS,
    AnnotationFormat,
    Rule,
    read_text,
    split_cells,
)
from harness.data.csv_rows import SEPARATORS
from harness.data.problems import ERROR, Problem
from harness.utils.errors import InputError
from harness.utils.escaping import escape_text
from harness.utils.names import is_file_name


def frame_faults(path: Path, task: str, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Yield the problems of the annotation file of one video in line order; stop at a wrong header."""
    layout = formats[task]
    yield from file_faults(path, (layout.header,), lambda cells: row_fault(cells, layout.names, layout.rule))


def multitask_faults(path: Path, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Yield the problems of an MTL file in line order; stop at a wrong header."""
    yield from file_faults(path, MTL_HEADERS, lambda cells: _multitask_row_fault(cells, formats))


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
        other = next((name for mark, name in SEPARATORS.items() if len(cells) == 1 and mark in cells[0].strip()), "")
        hint = f"; separate them by commas, not {other}" if other else ""
        return f"{len(cells)} {noun}, but {len(names)} are needed ({','.join(names)}){hint}"
    return next((fault for name, cell in zip(names, cells) if (fault := rule.fault(name, cell))), None)


def _multitask_row_fault(cells: list[str], formats: Mapping[str, AnnotationFormat]) -> str | None:
    if len(cells) != len(MTL_COLUMNS):
        return row_fault(cells, MTL_COLUMNS, formats["au"].rule)
    if not IMAGE_PATTERN.fullmatch(cells[0]):
        return f"image is '{cells[0]}'; it must be video/frame, such as video1/00001.jpg"
    if not is_file_name(cells[0].strip().rpartition("/")[0]):
        return f"'{escape_text(cells[0])[:80]}' is not an image of a video; write video/frame, such as video1/00001.jpg"
    blocks = (("va", cells[1:3]), ("expr", cells[3:4]), ("au", cells[4:]))
    faults = (row_fault(block, formats[name].names, formats[name].rule) for name, block in blocks)
    return next((fault for fault in faults if fault), None)
