"""Header of a frame table: detection of frame tables, and the columns by which rows name frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from harness.data.table_columns import (
    FRAME_COLUMNS,
    LABEL_COLUMNS,
    ColumnNames,
    locate_columns,
    missing_columns_error,
    standard_name,
)
from harness.utils.errors import InputError

INTERVALS = {"start": "end", "start_frame": "end_frame"}
"""Column with the ends of intervals for each column with their starts, in seconds or in frames."""


def standard_frame_name(name: str) -> str | None:
    """Return the column of a frame table that a name in a header stands for, or None.

    Examples
    --------
    >>> standard_frame_name(" Video"), standard_frame_name("Begin Time - ss.msec"), standard_frame_name("AU01")
    ('video', 'start', 'AU1')
    """
    return standard_name(name, FRAME_COLUMNS)


def is_frame_header(names: Collection[str]) -> bool:
    """Return whether a header belongs to a frame table: it has a column `video`, or the columns `image` and `frame`.

    A table with columns `video` and `image`, but without a frame, a time or an interval, is an image table.

    Examples
    --------
    >>> is_frame_header(["video", "time"]), is_frame_header(["image", "frame"]), is_frame_header(["image", "video"])
    (True, True, False)
    """
    columns = {standard_frame_name(name) for name in names}
    if "image" in columns:
        return "frame" in columns or ("video" in columns and not columns.isdisjoint(("time", *INTERVALS)))
    return "video" in columns


def find_frame_columns(path: Path, line: int, names: Sequence[str]) -> ColumnNames:
    """Find the columns of the header of a frame table.

    Parameters
    ----------
    path, line, names
        See `harness.data.table_columns.find_columns`.

    Raises
    ------
    InputError
        If the header is empty, two columns have the same meaning or contradict each other, or a column is missing.
    """
    columns = locate_columns(path, line, names, FRAME_COLUMNS)
    present = set(columns.positions)
    missing = [] if {"video", "image"} & present else ["video"]
    for start, end in INTERVALS.items():
        if len({start, end} & present) == 1:
            missing += sorted({start, end} - present)
    if not missing and not {"frame", "time", *INTERVALS} & present:
        missing.append("frame, time, or start and end")
    if not present.intersection(LABEL_COLUMNS):
        missing.append("expression, valence and arousal, or AU1...")
    if missing:
        raise missing_columns_error(path, line, columns, missing)
    starts = [start for start in INTERVALS if start in present]
    others = [name for name in ("frame", "time", "image") if name in present]
    if len(starts) > 1 or (starts and others):
        both = f"{starts[0]} and {(*starts[1:], *others)[0]}"
        raise InputError(
            f"{path}:{line}: columns {both} exclude each other: a row is one frame or an interval; remove one of them"
        )
    unused = ("time", "fps") if present & {"frame", "image", "start_frame"} else ()
    read = {name: position for name, position in columns.positions.items() if name not in unused}
    return ColumnNames(read, columns.header, columns.known)
