"""Parsers of the challenge's annotation files and test lists (layouts: Kollias 2022, arXiv 2202.10659).

A sound file is read in one vectorised pass. Only when that fails does a slow pass name the lines at fault.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.problems import ERROR, Problem
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.errors import InputError

IMAGE_PATTERN = re.compile(r"^([^,\n]+)/(\d{1,9})\.\w+(?=,|$)", re.MULTILINE)
MTL_HEADERS = (("image", *AFFECTS, "expression", "aus"), ("image", *AFFECTS, "expression", *ACTION_UNITS))
MTL_COLUMNS = MTL_HEADERS[1]


@dataclass(frozen=True)
class Rule:
    """Which values a column may hold; `ok` works on arrays and on single numbers."""

    number: Callable[[str], float]
    ok: Callable[[np.ndarray], np.ndarray]
    says: str

    def fault(self, column: str, cell: str) -> str | None:
        """What is wrong with one cell, if anything is."""
        try:
            value = self.number(cell) if "_" not in cell else None
        except ValueError:
            value = None
        if value is None:
            kind = "whole number" if self.number is int else "number"
            return f"{column} is '{cell.strip()}', not a {kind}; write {self.says}"
        return None if self.ok(np.asarray(value)) else f"{column} is {cell.strip()}; it must be {self.says}"


AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -5), "a number from -1 to 1, or -5 for no label")
EXPRESSION_RULE = Rule(
    int, lambda v: (v >= -1) & (v < len(EXPRESSIONS)), f"a class from 0 to {len(EXPRESSIONS) - 1}, or -1 for no label"
)
ACTION_UNIT_RULE = Rule(int, lambda v: (v >= -1) & (v <= 1), "0, 1, or -1 for no label")


@dataclass(frozen=True)
class AnnotationFormat:
    """One kind of per-video file: a header, then line i of the rest is frame i."""

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
    """Rows that name an image `video/frame.jpg`: videos sorted; index int32 [N] into them; frame int32 [N]."""

    videos: tuple[str, ...]
    index: np.ndarray
    frame: np.ndarray


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark; any line ends."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not a text file ({error.reason} at byte {error.start}); put the annotation itself there"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def read_frames(path: Path, task: str, formats: Mapping[str, AnnotationFormat] = FORMATS) -> np.ndarray:
    """Labels of one video: `va` float32 [T, 2], `expr` int64 [T], `au` int8 [T, 12]; row i is frame i + 1.

    formats: what the cells may hold, by task. Raises InputError with file and line at the first fault.
    """
    layout, text = formats[task], read_text(path)
    values = None
    if split_cells(text.partition("\n")[0]) == layout.header:
        values = parse_numbers(text, layout.rule, len(layout.names), None)
    if values is None:
        raise first_fault_error(frame_faults(path, task, formats), path)
    return values[:, 0].astype(layout.dtype) if task == "expr" else values.astype(layout.dtype)


def frame_faults(path: Path, task: str, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Every fault of one video's file, in line order; a wrong header ends the list."""
    layout = formats[task]
    yield from file_faults(path, (layout.header,), lambda cells: row_fault(cells, layout.names, layout.rule))


def read_multitask(
    path: Path, formats: Mapping[str, AnnotationFormat] = FORMATS
) -> tuple[ImageRows, dict[str, np.ndarray]]:
    """The rows of an MTL file in file order, duplicates kept, and targets `va`, `expr`, `au` as `Labels` has them.

    formats: what the cells may hold, by output. Raises InputError with file and line at the first fault.
    """
    text = read_text(path)
    header, _, body = text.rstrip().partition("\n")
    affects = wholes = rows = None
    if split_cells(header) in MTL_HEADERS and body.count(",") == (body.count("\n") + 1) * (len(MTL_COLUMNS) - 1):
        affects = parse_numbers(text, formats["va"].rule, 2, range(1, 3))
        wholes = parse_numbers(text, formats["au"].rule, 12, range(4, 16))
        expressions = parse_numbers(text, formats["expr"].rule, 1, range(3, 4))
        rows = _parse_image_rows(body)
    if affects is None or wholes is None or expressions is None or len(rows.frame) != len(affects):
        raise first_fault_error(multitask_faults(path, formats), path)
    targets = {"va": affects.astype(np.float32), "expr": expressions[:, 0], "au": wholes.astype(np.int8)}
    return rows, targets


def multitask_faults(path: Path, formats: Mapping[str, AnnotationFormat] = FORMATS) -> Iterator[Problem]:
    """Every fault of an MTL file, in line order; a wrong header ends the list."""
    yield from file_faults(path, MTL_HEADERS, lambda cells: _multitask_row_fault(cells, formats))


def read_image_rows(path: Path) -> ImageRows:
    """The images that an MTL file or its test list names; no label is parsed.

    Raises InputError at the first line after the header that does not start with an image.
    """
    lines = read_text(path).rstrip().split("\n")[1:]
    if not lines:
        raise InputError(f"{path}: names no image; each line after the header starts with video/00001.jpg")
    rows = _parse_image_rows("\n".join(lines))
    if len(rows.frame) != len(lines):
        number = next(i for i, line in enumerate(lines, start=2) if not IMAGE_PATTERN.match(line))
        raise InputError(
            f"{path}:{number}: '{lines[number - 2][:60]}' does not start with an image, such as video1/00001.jpg"
        )
    return rows


def read_test_list(path: Path) -> tuple[str, ...]:
    """Names of the test videos, in file order, once each; the list has no header."""
    names = tuple(dict.fromkeys(line.strip() for line in read_text(path).splitlines() if line.strip()))
    if not names:
        raise InputError(f"{path}: the test list is empty; put one video name on each line")
    return names


def has_image_column(path: Path) -> bool:
    """Whether a test list has a header and names images, as that of MTL and those since the fifth challenge do."""
    return split_cells(read_text(path).partition("\n")[0])[0].lower() in ("image", "image_location")


def read_test_videos(path: Path) -> tuple[str, ...]:
    """Names of a test list's videos, once each: as listed, or sorted where it names images."""
    return read_image_rows(path).videos if has_image_column(path) else read_test_list(path)


def split_cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split(","))


def parse_numbers(text: str, rule: Rule, width: int, columns: range | None) -> np.ndarray | None:
    """[N, width] of the lines after the header, or None when anything in them is not as the rule says."""
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
    sound = values.shape == (len(lines) - 1, width) and bool(rule.ok(values).all())
    return values if sound else None


def _parse_image_rows(body: str) -> ImageRows:
    found = IMAGE_PATTERN.findall(body)
    videos, frames = zip(*found) if found else ((), ())
    names, index = np.unique(np.array(videos, dtype=np.str_), return_inverse=True)
    frame = np.array(frames, dtype=np.str_).astype(np.int32) if found else np.zeros(0, np.int32)
    return ImageRows(tuple(names.tolist()), index.astype(np.int32), frame)


def first_fault_error(found: Iterator[Problem], path: Path) -> InputError:
    """The error for the first of the faults."""
    fault = next(found, None)
    return fault.to_exception() if fault else InputError(f"{path}: cannot be read as an annotation file")


def file_faults(
    path: Path, headers: tuple[tuple[str, ...], ...], row_fault: Callable[[list[str]], str | None]
) -> Iterator[Problem]:
    """Every fault of a file with one of these headers, in line order; row_fault: what is wrong with a line's cells."""
    try:
        text = read_text(path)
    except InputError as error:
        yield Problem(ERROR, "annotation", str(error).removeprefix(f"{path}: "), path)
        return
    lines = text.rstrip().split("\n")
    expected = ",".join(headers[0])
    if not text.strip():
        yield Problem(ERROR, "annotation", f"the annotation is empty; its first line must be '{expected}'", path)
        return
    if split_cells(lines[0]) not in headers:
        found = lines[0] if len(lines[0]) <= 80 else lines[0][:77] + "..."
        yield Problem(ERROR, "annotation", f"the header is '{found}'; it must be '{expected}'", path, 1)
        return
    if len(lines) == 1:
        yield Problem(ERROR, "annotation", "the annotation is empty: no line follows its header", path, 1)
    for number, line in enumerate(lines[1:], start=2):
        blank = "the line is blank; each line is one frame, so write its label or the mark for no label"
        message = row_fault(line.split(",")) if line.strip() else blank
        if message:
            yield Problem(ERROR, "annotation", message, path, number)


def row_fault(cells: list[str], names: tuple[str, ...], rule: Rule) -> str | None:
    """What is wrong with a line's cells, if anything is."""
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
    found = (row_fault(block, formats[name].names, formats[name].rule) for name, block in blocks)
    return next((fault for fault in found if fault), None)
