"""Check the files of a submission against a test list or a dataset."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from harness.data.annotation_faults import frame_faults, multitask_faults
from harness.data.annotation_formats import read_text, split_cells
from harness.data.annotations import read_frames, read_multitask
from harness.data.check_report import format_problems, format_summary_lines
from harness.data.problems import ERROR, WARNING, Problem, ProblemReport
from harness.inference.submission.expected import Expected, expected_contents
from harness.inference.submission.file_format import (
    FRAMES_FILE,
    IMAGE_COLUMN,
    MTL_FILE,
    NOTE,
    PREDICTED,
    image_header,
    video_file,
)
from harness.inference.submission.files import image_faults, read_image_predictions
from harness.inference.submission.frame_counts import MAX_EXTRA_CROPS
from harness.inference.submission.rows import Rows, read_image_list
from harness.utils.errors import InputError
from harness.utils.json_text import read_json
from harness.utils.names import canonical_name
from harness.utils.text import plural

KIND = "submission"


@dataclass(frozen=True)
class SubmissionReport(ProblemReport):
    """Result of a check.

    Attributes
    ----------
    root : Path
        Folder of the submission.
    task : str
    shape : str
        See `harness.inference.submission.files.shape_of`.
    expected : Expected
    files : int
        Number of files of the submission.
    predictions : int
        Number of valid lines.
    problems : tuple of Problem
        Errors first.
    """

    root: Path
    task: str
    shape: str
    expected: Expected
    files: int
    predictions: int
    problems: tuple[Problem, ...]


def check_submission(folder: Path, against: Path) -> SubmissionReport:
    """Check every file of a submission.

    Parameters
    ----------
    folder : Path
    against : Path
        A test list, or a dataset with lists or labels of the split.

    Returns
    -------
    SubmissionReport

    Raises
    ------
    InputError
        If the folder contains no predictions, or `against` cannot be used.
    """
    texts = _text_files(folder)
    task, shape = _detect_format(folder, texts)
    expected = expected_contents(against, task, shape, _declared_split(folder))
    problems: list[Problem] = list(_extra_files(folder))
    if shape == "videos":
        files, predictions = texts, _check_video_files(texts, task, expected, folder, problems)
    else:
        name = MTL_FILE if shape == "mtl" else FRAMES_FILE
        files = {name: texts[name]}
        problems += [
            _fault(f"not part of the submission, which consists of {name} only", path)
            for other, path in texts.items()
            if other != name
        ]
        predictions = _check_image_file(texts[name], task, shape, expected, problems)
    ordered = sorted(problems, key=lambda p: (p.severity != ERROR, p.file, p.line or 0))
    return SubmissionReport(folder, task, shape, expected, len(files), predictions, tuple(ordered))


def render(report: SubmissionReport, limit: int | None = None) -> str:
    """Format a report for a terminal of 100 columns, with at most `limit` problems of one kind."""
    counts = f"{plural(report.files, 'file')}, {report.predictions:,} valid predictions"
    lines = [("folder", str(report.root)), ("against", report.expected.description), ("contents", counts)]
    summary = format_summary_lines(f"submission of task {report.task}", lines)
    return f"{summary}\n\n{format_problems(report, limit)}\n"


def _text_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; pass a folder with .txt files of predictions")
    texts = {path.name: path for path in sorted(folder.glob("*.txt")) if not path.name.startswith(".")}
    if not texts:
        raise InputError(f"{folder}: no .txt file; pass a folder with .txt files of predictions")
    return texts


def _detect_format(folder: Path, texts: Mapping[str, Path]) -> tuple[str, str]:
    """Detect task and shape by the names and headers of the files."""
    if MTL_FILE in texts:
        return "mtl", "mtl"
    headers = {name: split_cells(read_text(path).partition("\n")[0]) for name, path in texts.items()}
    if FRAMES_FILE in texts:
        shape, headers = "frames", {FRAMES_FILE: headers[FRAMES_FILE][1:]}
    else:
        shape = "videos"
    task_by_header = {layout.header: task for task, layout in PREDICTED.items()}
    tasks = Counter(task_by_header[header] for header in headers.values() if header in task_by_header)
    if not tasks:
        first = next(iter(headers))
        raise InputError(
            f"{texts[first]}:1: unknown header; a file of one video starts with a header such as "
            f"'{','.join(PREDICTED['expr'].header)}', {FRAMES_FILE} has the additional column {IMAGE_COLUMN} "
            f"before it, and the file of MTL is named {MTL_FILE}"
        )
    return tasks.most_common(1)[0][0], shape


def _declared_split(folder: Path) -> str:
    """Read the split that a submission declares; `test` by default."""
    try:
        return str(read_json(folder / NOTE)["split"])
    except (OSError, ValueError, KeyError, TypeError):
        return "test"


def _extra_files(folder: Path) -> Iterator[Problem]:
    for path in sorted(folder.iterdir()):
        if path.suffix != ".txt" and path.name != NOTE and not path.name.startswith("."):
            yield _fault("not part of the submission", path, severity=WARNING)


def _check_video_files(
    texts: Mapping[str, Path], task: str, expected: Expected, folder: Path, problems: list[Problem]
) -> int:
    """Add the problems of the files to `problems` and return the number of valid lines."""
    videos_by_file = {video_file(video): video for video in expected.videos}
    names = {videos_by_file.get(canonical_name(path.name), canonical_name(path.stem)): path for path in texts.values()}
    problems += [
        _fault(f"no file {file} for video '{video}'", folder)
        for file, video in videos_by_file.items()
        if video not in names
    ]
    videos, valid = set(expected.videos), 0
    for video, path in names.items():
        if video not in videos:
            problems.append(_fault(f"video '{video}' is not in {expected.list_name}", path))
        lines = read_text(path).rstrip().count("\n")
        faults = _faults(partial(read_frames, path, task, PREDICTED), frame_faults(path, task, PREDICTED))
        problems += faults
        valid += lines - len({fault.line for fault in faults})
        if (message := _line_count_error(video, lines, expected)) is not None:
            problems.append(_fault(message, path, lines + 1))
    return max(valid, 0)


def _line_count_error(video: str, lines: int, expected: Expected) -> str | None:
    """Return a message if the number of lines after the header of a file is wrong, else None."""
    exact, least = expected.lines.get(video), expected.min_lines.get(video, 0)
    if exact is not None and lines != exact:
        return f"{lines:,} lines of predictions, but video '{video}' needs {exact:,}"
    if exact is None and lines < least - MAX_EXTRA_CROPS:
        return f"{lines:,} lines of predictions, but the crops of video '{video}' go up to frame {least:,}"
    return None


def _check_image_file(path: Path, task: str, shape: str, expected: Expected, problems: list[Problem]) -> int:
    """Add the problems of the file to `problems` and return the number of valid lines."""
    header = expected.rows.header if expected.rows is not None and shape == "frames" else image_header(task)
    if shape == "mtl":
        faults = _faults(lambda: read_multitask(path, PREDICTED), multitask_faults(path, PREDICTED))
    else:
        faults = _faults(lambda: read_image_predictions(path, task, header), image_faults(path, task, header))
    problems += faults
    if any(fault.line == 1 for fault in faults):
        return 0
    try:
        rows = read_image_list(path)
        rows = dataclasses.replace(rows, videos=tuple(map(canonical_name, rows.videos)))
    except InputError:
        return 0  # `faults` contains the malformed line already
    problems += _row_errors(rows, expected, path)
    if expected.rows is None and shape == "frames":  # with a list, _row_errors does this; MTL files may skip frames
        problems += _coverage_errors(rows, path)
    return max(len(rows) - len({fault.line for fault in faults}), 0)


def _row_errors(rows: Rows, expected: Expected, path: Path) -> Iterator[Problem]:
    """Find missing, unexpected and misordered images; without a list of images, compare only videos and line counts."""
    if expected.rows is None:
        missing = [video for video in expected.videos if video not in rows.videos]
        yield from (_fault(f"no line for video '{video}'", path) for video in missing)
        for video, last in zip(rows.videos, rows.last.tolist()):
            if video not in expected.videos:
                yield _fault(f"video '{video}' is not in {expected.list_name}", path)
            elif (message := _line_count_error(video, last, expected)) is not None:
                yield _fault(message, path)
        return
    names, expected_names = rows.names(), expected.rows.names()
    have, need = Counter(names.tolist()), Counter(expected_names.tolist())
    for word, rest in (("missing", need - have), ("unexpected or duplicate", have - need)):
        if rest:
            yield _fault(f"{rest.total():,} images are {word}, first {next(iter(rest))}", path)
    if have == need and (names != expected_names).any():
        row = int(np.argmax(names != expected_names))
        yield _fault(
            f"image is {names[row]}, but the list has {expected_names[row]} here; use the order of the list",
            path,
            row + 2,
        )


def _coverage_errors(rows: Rows, path: Path) -> Iterator[Problem]:
    """Find duplicate frames of each video, and frames that are missing before the last frame of the video."""
    for number, video in enumerate(rows.videos):
        frames = rows.frame[rows.index == number]
        counts = np.bincount(frames)[1:]
        missing, repeated = np.flatnonzero(counts == 0) + 1, np.flatnonzero(counts > 1) + 1
        if len(missing):
            yield _fault(f"{plural(len(missing), 'frame')} of video '{video}' without a line, first {missing[0]}", path)
        if len(repeated):
            line = int(np.flatnonzero((rows.index == number) & (rows.frame == repeated[0]))[1]) + 2
            yield _fault(
                f"{plural(len(repeated), 'frame')} of video '{video}' more than once, first {repeated[0]}", path, line
            )


def _faults(read: Callable[[], object], slow: Iterator[Problem]) -> list[Problem]:
    """Return [] if the fast parser succeeds, else the faults that the slow parser finds."""
    try:
        read()
    except InputError:
        return [dataclasses.replace(fault, kind=KIND) for fault in slow]
    return []


def _fault(message: str, path: Path, line: int | None = None, severity: str = ERROR) -> Problem:
    return Problem(severity, KIND, message, path, line)
