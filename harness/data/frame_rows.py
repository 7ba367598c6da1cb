"""Rows of a frame table: the video and the frames of each row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.data.annotation_formats import Rule, shorten
from harness.data.coded_table import MAX_FAULTS, CodedTable
from harness.data.frame_columns import INTERVALS
from harness.data.frame_settings import MAX_FPS, FrameSettings
from harness.data.frame_videos import folder_videos, video_name
from harness.data.label_spreading import Spans
from harness.data.problems import ERROR, Problem
from harness.data.table_cells import parse_distinct_numbers
from harness.utils.errors import InputError
from harness.utils.escaping import escape_text
from harness.utils.names import is_file_name

MAX_FRAME = 10**9 - 1
MAX_SECONDS = 10**7
TOLERANCE = 1e-6
"""Tolerance of times in frames: rounding errors up to this do not move a time to another frame."""
FRAME_RULE = Rule(int, lambda v: (v >= 0) & (v <= MAX_FRAME), "a frame number, such as 1")
TIME_RULE = Rule(float, lambda v: (v >= 0) & (v <= MAX_SECONDS), "a time in seconds, such as 0.04")
FPS_RULE = Rule(float, lambda v: (v > 0) & (v <= MAX_FPS), f"a frame rate above 0, at most {MAX_FPS:,}")
_LAST_NUMBER = re.compile(r"([0-9]+)[^0-9/\\]*\.[^./\\]*$")
"""The last number in the name of an image before its suffix."""


@dataclass(frozen=True, eq=False)
class FrameRows:
    """Well-formed rows of a frame table.

    Attributes
    ----------
    videos : tuple of str
        Names of V videos, sorted.
    spans : Spans
        Video, first frame and last frame of each of R rows, and the index of the row in the table.
    origin : str
        How the frames are found, for the summary.
    by_interval : bool
        Whether the rows are intervals.
    faults : tuple of Problem
        Errors of rows that are not in `spans`.
    """

    videos: tuple[str, ...]
    spans: Spans
    origin: str
    by_interval: bool
    faults: tuple[Problem, ...]


def resolve_rows(table: CodedTable, settings: FrameSettings, folders: Mapping[str, str]) -> FrameRows:
    """Find the video and the frames of each row.

    Parameters
    ----------
    table : CodedTable
    settings : FrameSettings
    folders : mapping of str to str
        Names of the folders of crops by canonical name; empty for tables that name images.

    Raises
    ------
    InputError
        If the table has times but no frame rate.
    """
    videos, video, faults = _videos(table, folders)
    first, last, sound, more, origin = _frames(table, settings)
    faults = (*faults, *more)
    sound = sound & (video >= 0)
    too_late = sound & (last > MAX_FRAME)
    faults += tuple(_problems(table, too_late, "frame", f"the frame number is above {MAX_FRAME:,}; check the row"))
    rows = np.flatnonzero(sound & ~too_late)
    spans = Spans(video[rows].astype(np.int32), first[rows], last[rows], rows)
    return FrameRows(videos, spans, origin, any(start in table.columns for start in INTERVALS), faults)


def _problems(table: CodedTable, wrong: np.ndarray, kind: str, message: str) -> Iterator[Problem]:
    for row in np.flatnonzero(wrong)[:MAX_FAULTS]:
        yield Problem(ERROR, kind, message, table.path, int(table.lines[row]))


def _videos(table: CodedTable, folders: Mapping[str, str]) -> tuple[tuple[str, ...], np.ndarray, tuple[Problem, ...]]:
    """Return the names of the videos, the video of each row (-1 for none), and the problems of the other rows."""
    by_image = "video" not in table.columns
    column = table.columns["image" if by_image else "video"]
    cells = column.cells.tolist()
    names = folder_videos(cells) if by_image else [video_name(cell, folders) for cell in cells]
    valid = {name: is_file_name(name) for name in set(names)}
    videos = tuple(sorted(name for name, accepted in valid.items() if accepted))
    number = {name: index for index, name in enumerate(videos)}
    index = np.array([number.get(name, -1) for name in names], dtype=np.int32)
    video = column.spread(index)
    faults = tuple(
        Problem(ERROR, "video", _name_message(column[row], by_image), table.path, int(table.lines[row]))
        for row in np.flatnonzero(video < 0)[:MAX_FAULTS].tolist()
    )
    return videos, video, faults


def _name_message(cell: str, by_image: bool) -> str:
    if not cell:
        return "no image; write the path of the crop, or add a column video" if by_image else "no video; write its name"
    name = escape_text(shorten(cell, 80))
    if by_image:
        return f"'{name}' is in no folder of a video; add a column video"
    return f"'{name}' is not the name of a video; write the name of its folder of crops, without a path"


def _frames(
    table: CodedTable, settings: FrameSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[Problem, ...], str]:
    """Return the first and last frame of each row, a mask of the valid rows, the problems, and how frames are found."""
    if "start_frame" in table.columns:
        return _frame_intervals(table, settings)
    if "start" in table.columns:
        return _time_intervals(table, settings)
    if "frame" in table.columns:
        frame, sound, faults = _frame_numbers(table, "frame", settings)
        return frame, frame, sound, faults, "from column frame"
    if "image" in table.columns:
        frame, sound, faults = _image_numbers(table, settings)
        return frame, frame, sound, faults, "from the numbers in the names of the images"
    rate, note = _frame_rates(table, settings)
    time, sound, faults = _numbers(table, "time", TIME_RULE)
    with np.errstate(invalid="ignore"):
        frame = _to_int(np.floor(time * rate + 0.5 + TOLERANCE), sound & ~np.isnan(rate)) + 1
    return frame, frame, sound & ~np.isnan(rate), (*faults, *_rate_faults(table)), f"from column time, {note}"


def _frame_intervals(
    table: CodedTable, settings: FrameSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[Problem, ...], str]:
    first, sound, faults = _frame_numbers(table, "start_frame", settings)
    last, ends, more = _frame_numbers(table, "end_frame", settings)
    sound &= ends
    reversed_rows = sound & (last < first)
    message = "end_frame is before start_frame; intervals have both frames"
    faults = (*faults, *more, *_problems(table, reversed_rows, "interval", message))
    return first, last, sound & ~reversed_rows, faults, "intervals from columns start_frame and end_frame"


def _time_intervals(
    table: CodedTable, settings: FrameSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[Problem, ...], str]:
    """Return the frames whose time is at least `start` and less than `end`; frame 1 is at 0 seconds."""
    rate, note = _frame_rates(table, settings)
    start, sound, faults = _numbers(table, "start", TIME_RULE)
    end, ends, more = _numbers(table, "end", TIME_RULE)
    sound &= ends & ~np.isnan(rate)
    with np.errstate(invalid="ignore"):
        reversed_rows = sound & (end <= start)
        first = _to_int(np.ceil(start * rate - TOLERANCE), sound) + 1
        last = _to_int(np.ceil(end * rate - TOLERANCE), sound)
    message = "end is not after start; an interval is from start up to, but without, end"
    faults = (*faults, *more, *_rate_faults(table), *_problems(table, reversed_rows, "interval", message))
    return first, last, sound & ~reversed_rows, faults, f"intervals from columns start and end, {note}"


def _frame_numbers(
    table: CodedTable, column: str, settings: FrameSettings
) -> tuple[np.ndarray, np.ndarray, tuple[Problem, ...]]:
    values, sound, faults = _numbers(table, column, FRAME_RULE)
    return _count_from_one(table, _to_int(values, sound), sound, faults, settings)


def _image_numbers(table: CodedTable, settings: FrameSettings) -> tuple[np.ndarray, np.ndarray, tuple[Problem, ...]]:
    column = table.columns["image"]
    matches = map(_LAST_NUMBER.search, column.cells.tolist())
    numbers = [int(match[1].lstrip("0")[:10] or 0) if match else -1 for match in matches]
    values = column.spread(np.array(numbers, dtype=np.int64))
    sound = values >= 0
    message = "the name of the image has no number; name crops by frame number, or add a column frame"
    faults = (
        *_problems(table, ~sound & column.filled, "frame", message),
        *_problems(table, ~column.filled, "frame", "no image; write the path of the crop, or add a column frame"),
    )
    return _count_from_one(table, values, sound, faults, settings)


def _count_from_one(
    table: CodedTable, frame: np.ndarray, sound: np.ndarray, faults: tuple[Problem, ...], settings: FrameSettings
) -> tuple[np.ndarray, np.ndarray, tuple[Problem, ...]]:
    """Return frame numbers that begin at 1."""
    if settings.first_frame == 0:
        return frame + 1, sound, faults
    zero = sound & (frame == 0)
    message = (
        f'frame 0, but frame numbers start at 1; if the table counts from 0, write {{"first_frame": 0}} to '
        f"{table.path.with_suffix('.json').name}"
    )
    return frame, sound & ~zero, (*faults, *_problems(table, zero, "frame", message))


def _frame_rates(table: CodedTable, settings: FrameSettings) -> tuple[np.ndarray, str]:
    """Return the frame rate of each row, and a phrase about it; NaN in rows without a valid rate."""
    if "fps" in table.columns:
        rate, sound, _ = _numbers(table, "fps", FPS_RULE)
        return np.where(sound, rate, np.nan), "at the frame rates of column fps"
    if settings.fps is None:
        name = table.path.with_suffix(".json").name
        raise InputError(
            f"{table.path}:{table.header_line}: times need a frame rate; add a column fps, or write "
            f'{{"fps": 25}} to {name} beside the table'
        )
    return np.full(len(table), float(settings.fps)), f"at {settings.fps:g} frames a second"


def _rate_faults(table: CodedTable) -> tuple[Problem, ...]:
    return _numbers(table, "fps", FPS_RULE)[2] if "fps" in table.columns else ()


def _numbers(table: CodedTable, column: str, rule: Rule) -> tuple[np.ndarray, np.ndarray, tuple[Problem, ...]]:
    return table.parse(column, column, partial(parse_distinct_numbers, column, rule=rule))


def _to_int(values: np.ndarray, sound: np.ndarray) -> np.ndarray:
    return np.where(sound, values, 0).astype(np.int64)
