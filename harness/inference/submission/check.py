"""`framelight data check SUBMISSION --against LIST`: everything that is wrong with the files of a submission."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.annotations import frame_faults, multitask_faults, read_frames, read_multitask, read_text, split_cells
from harness.data.check_report import format_problems, format_summary_lines
from harness.data.problems import ERROR, WARNING, Problem, ProblemReport
from harness.inference.submission.expected import Expected, expected_contents
from harness.inference.submission.file_format import FRAMES_FILE, IMAGE_COLUMN, MTL_FILE, NOTE, PREDICTED, image_header
from harness.inference.submission.files import image_faults, read_image_predictions
from harness.inference.submission.frame_counts import MAX_EXTRA_CROPS
from harness.inference.submission.rows import Rows, read_image_list
from harness.utils.errors import InputError
from harness.utils.text import plural

KIND = "submission"
MTL_FIRST = split_cells(image_header("mtl"))[0]


@dataclass(frozen=True)
class SubmissionReport(ProblemReport):
    """What was found. files: those of the submission; predictions: sound lines in them; problems: errors first."""

    root: Path
    task: str
    shape: str
    expected: Expected
    files: int
    predictions: int
    problems: tuple[Problem, ...]


def check_submission(folder: Path, against: Path) -> SubmissionReport:
    """Check every file; `against`: a test list, or a data set whose lists (or labelled split) are meant.

    InputError where there is nothing to check, or nothing to check it against.
    """
    texts = _text_files(folder)
    task, shape = _detect_format(folder, texts)
    wanted = expected_contents(against, task, shape, _declared_split(folder))
    problems: list[Problem] = list(_extra_files(folder))
    if shape == "videos":
        files, predictions = texts, _check_video_files(texts, task, wanted, folder, problems)
    else:
        name = MTL_FILE if shape == "mtl" else FRAMES_FILE
        files = {name: texts[name]}
        problems += [
            _fault(f"not part of the submission, which is {name} alone", path)
            for other, path in texts.items()
            if other != name
        ]
        predictions = _check_image_file(texts[name], task, shape, wanted, problems)
    ordered = sorted(problems, key=lambda p: (p.severity != ERROR, p.file, p.line or 0))
    return SubmissionReport(folder, task, shape, wanted, len(files), predictions, tuple(ordered))


def render(report: SubmissionReport) -> str:
    """The report for a terminal of 100 columns."""
    counted = f"{plural(report.files, 'file')}, {report.predictions:,} sound predictions"
    lines = [("folder", str(report.root)), ("against", report.expected.description), ("holds", counted)]
    return (
        format_summary_lines(f"submission of task {report.task}", lines) + "\n\n" + format_problems(report, None) + "\n"
    )


def _text_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no folder; a submission is a folder with .txt files of predictions")
    found = {path.name: path for path in sorted(folder.glob("*.txt")) if not path.name.startswith(".")}
    if not found:
        raise InputError(f"{folder}: holds no .txt file, so no predictions")
    return found


def _detect_format(folder: Path, texts: Mapping[str, Path]) -> tuple[str, str]:
    """Task and shape, by the name and the header of the files."""
    if MTL_FILE in texts:
        return "mtl", "mtl"
    headers = {name: split_cells(read_text(path).partition("\n")[0]) for name, path in texts.items()}
    if FRAMES_FILE in texts:
        shape, headers = "frames", {FRAMES_FILE: headers[FRAMES_FILE][1:]}
    else:
        shape = "videos"
    known = {layout.header: task for task, layout in PREDICTED.items()}
    tasks = Counter(known[header] for header in headers.values() if header in known)
    if not tasks:
        first = next(iter(headers))
        raise InputError(
            f"{texts[first]}:1: no header of a challenge; a file of one video starts with "
            f"'{','.join(PREDICTED['expr'].header)}' and the like, {FRAMES_FILE} with {IMAGE_COLUMN} "
            f"before that, and that of MTL is named {MTL_FILE}"
        )
    return tasks.most_common(1)[0][0], shape


def _declared_split(folder: Path) -> str:
    """The split that a submission says it is of; `test` where it says nothing."""
    try:
        return str(json.loads((folder / NOTE).read_text(encoding="utf-8"))["split"])
    except (OSError, ValueError, KeyError, TypeError):
        return "test"


def _extra_files(folder: Path) -> Iterator[Problem]:
    for path in sorted(folder.iterdir()):
        if path.suffix != ".txt" and path.name != NOTE and not path.name.startswith("."):
            yield _fault("not part of the submission", path, severity=WARNING)


def _check_video_files(
    texts: Mapping[str, Path], task: str, wanted: Expected, folder: Path, problems: list[Problem]
) -> int:
    names = {path.stem: path for path in texts.values()}
    problems += [
        _fault(f"no file {video}.txt for video '{video}'", folder) for video in wanted.videos if video not in names
    ]
    listed, sound = set(wanted.videos), 0
    for video, path in names.items():
        if video not in listed:
            problems.append(_fault(f"video '{video}' is not in {wanted.list_name}", path))
        lines = read_text(path).rstrip().count("\n")
        faults = _faults(lambda path=path: read_frames(path, task, PREDICTED), frame_faults(path, task, PREDICTED))
        problems += faults
        sound += lines - len({fault.line for fault in faults})
        if (message := _line_count_error(video, lines, wanted)) is not None:
            problems.append(_fault(message, path, lines + 1))
    return max(sound, 0)


def _line_count_error(video: str, lines: int, wanted: Expected) -> str | None:
    """What is wrong with a file's number of lines after its header."""
    exact, least = wanted.lines.get(video), wanted.min_lines.get(video, 0)
    if exact is not None and lines != exact:
        return f"{lines:,} lines of predictions, but video '{video}' needs {exact:,}"
    if exact is None and lines < least - MAX_EXTRA_CROPS:
        return f"{lines:,} lines of predictions, but video '{video}' has a crop of frame {least:,}"
    return None


def _check_image_file(path: Path, task: str, shape: str, wanted: Expected, problems: list[Problem]) -> int:
    header = wanted.rows.header if wanted.rows is not None and shape == "frames" else image_header(task)
    if shape == "mtl":
        faults = _faults(lambda: read_multitask(path, PREDICTED), multitask_faults(path, PREDICTED))
    else:
        faults = _faults(lambda: read_image_predictions(path, task, header), image_faults(path, task, header))
    problems += faults
    if any(fault.line == 1 for fault in faults):
        return 0
    try:
        found = read_image_list(path)
    except InputError:
        return 0  # the line at fault is among the faults
    problems += _row_errors(found, wanted, path)
    if wanted.rows is None and shape == "frames":  # a list of images compares them itself; MTL skips frames
        problems += _coverage_errors(found, path)
    return max(len(found) - len({fault.line for fault in faults}), 0)


def _row_errors(found: Rows, wanted: Expected, path: Path) -> Iterator[Problem]:
    """Images that are missing, not asked for, or in another order; without a list of images, videos and lines."""
    if wanted.rows is None:
        absent = [video for video in wanted.videos if video not in found.videos]
        yield from (_fault(f"no line for video '{video}'", path) for video in absent)
        for video, last in zip(found.videos, found.last.tolist()):
            if video not in wanted.videos:
                yield _fault(f"video '{video}' is not in {wanted.list_name}", path)
            elif (message := _line_count_error(video, last, wanted)) is not None:
                yield _fault(message, path)
        return
    names, asked = found.names(), wanted.rows.names()
    have, need = Counter(names.tolist()), Counter(asked.tolist())
    for word, rest in (("missing", need - have), ("not asked for, or too often", have - need)):
        if rest:
            yield _fault(f"{rest.total():,} images are {word}, first {next(iter(rest))}", path)
    if have == need and (names != asked).any():
        row = int(np.argmax(names != asked))
        yield _fault(f"image is {names[row]}, but the list has {asked[row]} here; keep the list's order", path, row + 2)


def _coverage_errors(found: Rows, path: Path) -> Iterator[Problem]:
    """Frames of a video that come twice or, up to its last, not at all."""
    for number, video in enumerate(found.videos):
        frames = found.frame[found.index == number]
        times = np.bincount(frames)[1:]
        absent, twice = np.flatnonzero(times == 0) + 1, np.flatnonzero(times > 1) + 1
        if len(absent):
            yield _fault(f"{plural(len(absent), 'frame')} of video '{video}' without a line, first {absent[0]}", path)
        if len(twice):
            line = int(np.flatnonzero((found.index == number) & (found.frame == twice[0]))[1]) + 2
            yield _fault(
                f"{plural(len(twice), 'frame')} of video '{video}' more than once, first {twice[0]}", path, line
            )


def _faults(read: Callable[[], object], slow: Iterator[Problem]) -> list[Problem]:
    """None where the quick reading succeeds, else what the slow one finds."""
    try:
        read()
    except InputError:
        return [dataclasses.replace(fault, kind=KIND) for fault in slow]
    return []


def _fault(message: str, path: Path, line: int | None = None, severity: str = ERROR) -> Problem:
    return Problem(severity, KIND, message, path, line)
