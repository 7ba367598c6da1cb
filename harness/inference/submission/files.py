"""The files of a submission, written and read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.annotations import (
    IMAGE_PATTERN,
    AnnotationFormat,
    file_faults,
    first_fault_error,
    parse_numbers,
    read_frames,
    read_multitask,
    read_text,
    row_fault,
    split_cells,
)
from harness.data.problems import Problem
from harness.inference.submission.file_format import FRAMES_FILE, MTL_FILE, PREDICTED, image_text, video_text
from harness.inference.submission.rows import Rows
from harness.metrics.tasks import Task
from harness.utils.errors import FramelightError

Decoded = Mapping[str, np.ndarray]
SHAPES = ("videos", "frames", "mtl")
"""A file for each video; one with a line for each frame; one with a line for each listed image of three outputs."""


def shape_of(task: str, form: str) -> str:
    """Which of SHAPES the files of a task have in the form `challenge` or `frames`."""
    return "mtl" if task == "mtl" else "frames" if form == "frames" else "videos"


def write(folder: Path, task: Task, shape: str, rows: Rows, decoded: Decoded) -> tuple[str, ...]:
    """Write the files; their names."""
    if shape == "videos":
        ends = np.cumsum(rows.last)
        for name, end, lines in zip(rows.videos, ends.tolist(), rows.last.tolist()):
            own = {task.name: decoded[task.name][end - lines : end]}
            (folder / f"{name}.txt").write_text(video_text(task.name, own), encoding="utf-8")
        return tuple(f"{name}.txt" for name in rows.videos)
    name = MTL_FILE if shape == "mtl" else FRAMES_FILE
    (folder / name).write_text(image_text(task, rows.header, rows.names(), decoded), encoding="utf-8")
    return (name,)


def read(folder: Path, task: Task, shape: str, rows: Rows) -> Decoded:
    """What the files say of the rows, parsed as the organisers' own files are; FramelightError where lines differ."""
    if shape == "videos":
        parts = [read_frames(folder / f"{name}.txt", task.name, PREDICTED) for name in rows.videos]
        _require_same("lines", np.array([len(part) for part in parts]), rows.last)
        return {task.name: np.concatenate(parts)}
    if shape == "mtl":
        listed, targets = read_multitask(folder / MTL_FILE, PREDICTED)
        _require_same("images", listed.frame, rows.frame)
        return targets
    images, values = read_image_predictions(folder / FRAMES_FILE, task.name, rows.header)
    _require_same("images", images, rows.names())
    return {task.name: values}


def read_image_predictions(path: Path, task: str, header: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [N] and predictions (see `read_frames`) of a file with a line for each frame under `header`.

    InputError with file and line at the first fault.
    """
    layout, text = PREDICTED[task], read_text(path)
    first, _, body = text.rstrip().partition("\n")
    values, images = None, []
    if split_cells(first) == split_cells(header):
        values = parse_numbers(text, layout.rule, len(layout.names), range(1, len(layout.names) + 1))
        images = [match[0] for match in IMAGE_PATTERN.finditer(body)]
    if values is None or len(images) != len(values) or body.count(",") != len(values) * len(layout.names):
        raise first_fault_error(image_faults(path, task, header), path)
    values = values[:, 0] if task == "expr" else values
    return np.array(images, dtype=object), values.astype(layout.dtype)


def image_faults(path: Path, task: str, header: str) -> Iterator[Problem]:
    """Every fault of a file with a line for each frame, in line order; a wrong header ends the list."""
    layout = PREDICTED[task]
    yield from file_faults(path, (split_cells(header),), lambda cells: _image_row_fault(cells, layout))


def _image_row_fault(cells: list[str], layout: AnnotationFormat) -> str | None:
    if len(cells) != 1 + len(layout.names):
        return f"{len(cells)} columns, but {1 + len(layout.names)} are needed"
    if not IMAGE_PATTERN.fullmatch(cells[0]):
        return f"image is '{cells[0]}'; it must be video/frame, such as video1/00001.jpg"
    return row_fault(cells[1:], layout.names, layout.rule)


def _require_same(what: str, read_back: np.ndarray, wanted: np.ndarray) -> None:
    if len(read_back) != len(wanted) or (np.asarray(read_back) != np.asarray(wanted)).any():
        raise FramelightError(f"the written files' {what} are not those asked for; this is a defect of Framelight")
