"""Write and read the files of a submission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.annotation_faults import file_faults, first_fault_error, row_fault
from harness.data.annotation_formats import IMAGE_PATTERN, AnnotationFormat, read_text, split_cells
from harness.data.annotations import parse_numbers, read_frames, read_multitask
from harness.data.problems import Problem
from harness.inference.submission.file_format import (
    FRAMES_FILE,
    MTL_FILE,
    PREDICTED,
    image_text,
    video_file,
    video_text,
)
from harness.inference.submission.rows import Rows
from harness.metrics.tasks import Task
from harness.utils.errors import FramelightError

Decoded = Mapping[str, np.ndarray]


def shape_of(task: str, form: str) -> str:
    """Return how predictions are divided into files: `videos`, `frames` or `mtl`.

    With `videos`, each video has a file. With `frames`, one file has a line for each frame. With `mtl`, one file has a
    line with all three outputs for each listed image. The parameter `form` is `challenge` or `frames`, see
    `harness.inference.api.submit`.
    """
    return "mtl" if task == "mtl" else "frames" if form == "frames" else "videos"


def write(folder: Path, task: Task, shape: str, rows: Rows, decoded: Decoded) -> tuple[str, ...]:
    """Write the files and return their names."""
    if shape == "videos":
        ends = np.cumsum(rows.last)
        for name, end, lines in zip(rows.videos, ends.tolist(), rows.last.tolist()):
            values = {task.name: decoded[task.name][end - lines : end]}
            (folder / video_file(name)).write_text(video_text(task.name, values), encoding="utf-8")
        return tuple(video_file(name) for name in rows.videos)
    name = MTL_FILE if shape == "mtl" else FRAMES_FILE
    (folder / name).write_text(image_text(task, rows.header, rows.names(), decoded), encoding="utf-8")
    return (name,)


def read(folder: Path, task: Task, shape: str, rows: Rows) -> Decoded:
    """Parse the files as annotation files are parsed; raise FramelightError if their rows differ from `rows`."""
    if shape == "videos":
        parts = [read_frames(folder / video_file(name), task.name, PREDICTED) for name in rows.videos]
        _require_same("lines", np.array([len(part) for part in parts]), rows.last)
        return {task.name: np.concatenate(parts)}
    if shape == "mtl":
        images, targets = read_multitask(folder / MTL_FILE, PREDICTED)
        _require_same("images", images.frame, rows.frame)
        return targets
    names, values = read_image_predictions(folder / FRAMES_FILE, task.name, rows.header)
    _require_same("images", names, rows.names())
    return {task.name: values}


def read_image_predictions(path: Path, task: str, header: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a file with a line for each frame.

    Parameters
    ----------
    path : Path
    task : str
    header : str
        Expected first line.

    Returns
    -------
    images : ndarray of shape (N,)
        Names of the images, as an object array.
    values : ndarray
        Predictions, in the format of `read_frames`.

    Raises
    ------
    InputError
        If the file is malformed; the message names file and line of the first fault.
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
    """Find every fault of a file with a line for each frame, in line order; stop at a wrong header."""
    layout = PREDICTED[task]
    yield from file_faults(path, (split_cells(header),), lambda cells: _image_row_fault(cells, layout))


def _image_row_fault(cells: list[str], layout: AnnotationFormat) -> str | None:
    if len(cells) != 1 + len(layout.names):
        return f"{len(cells)} columns, but {1 + len(layout.names)} are needed"
    if not IMAGE_PATTERN.fullmatch(cells[0]):
        return f"image is '{cells[0]}'; it must be video/frame, such as video1/00001.jpg"
    return row_fault(cells[1:], layout.names, layout.rule)


def _require_same(what: str, read_back: np.ndarray, expected: np.ndarray) -> None:
    if len(read_back) != len(expected) or (np.asarray(read_back) != np.asarray(expected)).any():
        raise FramelightError(
            f"the {what} of the written files differ from the expected ones; this is a bug in Framelight, "
            "please report it"
        )
