"""Problems of a frame table beyond malformed labels, such as leaks, labels without crops and crops without labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.data.coded_table import CodedTable
from harness.data.crop_checks import find_crop_problems, has_crop_error, names_in_other_case
from harness.data.crop_search import CropSearch
from harness.data.dataset import Sequence
from harness.data.frame_images import ImageSequences
from harness.data.frame_labels import LabelColumns
from harness.data.frame_rows import FrameRows
from harness.data.frame_splits import VideoSplits
from harness.data.image_table_checks import find_missing_columns, find_unclear_subjects
from harness.data.label_spreading import split_keys
from harness.data.problems import ERROR, WARNING, Problem
from harness.utils.names import canonical_name
from harness.utils.text import plural


class CheckableTable(Protocol):
    """Attributes and methods of `FrameTable` that the checks use."""

    file: Path
    table: CodedTable
    rows: FrameRows
    columns: LabelColumns
    video_splits: VideoSplits
    search: CropSearch | None
    sequences: Mapping[str, Sequence]

    @property
    def faults(self) -> tuple[Problem, ...]:
        """Errors of rows, videos, frames, subjects and splits."""

    def crop_keys(self, videos: tuple[str, ...], crops: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the keys of the crops of videos."""


def find_problems(table: CheckableTable, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield problems other than malformed labels.

    Parameters
    ----------
    table : FrameTable
    crops : mapping of str to int array
        Frame numbers with a readable crop, by video.

    Yields
    ------
    Problem
    """
    yield from table.table.warnings
    yield from find_table_problems(table)
    yield from find_missing_columns(table.file, table.table.header_line, table.table.columns)
    yield from _unclear_subjects(table)
    if table.search is not None:
        yield from table.search.problems
        yield from _unnamed_folders(table, table.search)
    yield from _labels_and_crops(table, crops)
    for row, first in table.columns.repeated():
        message = f"{_frame_of(table, row)} is already on line {table.table.lines[first]}"
        yield Problem(WARNING, "duplicate row", message, table.file, int(table.table.lines[row]))


def find_table_problems(table: CheckableTable) -> Iterator[Problem]:
    """Yield malformed rows, leaks, and problems of the crops that are found without decoding images."""
    yield from table.faults
    yield from table.video_splits.find_leaks()
    if table.search is not None:
        yield from find_crop_problems(table.search, [name for name in table.rows.videos if name in table.search.videos])
    elif isinstance(table.sequences, ImageSequences):
        images, lines = table.table.columns["image"], table.table.lines
        for row, first in table.sequences.find_conflicts():
            message = (
                f"image {images[row]} here but {images[first]} on line {lines[first]}, both for "
                f"{_frame_of(table, row)}; a frame has one image"
            )
            yield Problem(ERROR, "conflict", message, table.file, int(lines[row]))


def _frame_of(table: CheckableTable, row: int) -> str:
    spans = table.rows.spans
    index = int(np.searchsorted(spans.row, row))
    return f"frame {spans.first[index]:,} of video '{table.rows.videos[spans.video[index]]}'"


def _unclear_subjects(table: CheckableTable) -> Iterator[Problem]:
    if "subject" not in table.table.columns:
        return
    column = table.table.columns["subject"]
    used, first, counts = np.unique(column.codes, return_index=True, return_counts=True)
    names = column.cells[used].tolist()
    yield from find_unclear_subjects(table.file, names, table.table.lines[first].tolist(), counts.tolist())


def _unnamed_folders(table: CheckableTable, search: CropSearch) -> Iterator[Problem]:
    unnamed = sorted(set(search.videos) - set(table.rows.videos))
    if unnamed:
        message = f"{plural(len(unnamed), 'folder')} of crops not named in the table, such as '{unnamed[0]}'; not read"
        yield Problem(WARNING, "no label", message, table.file)


def _labels_and_crops(table: CheckableTable, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield videos without crops, labels without crops, and crops without labels."""
    videos = table.rows.videos
    keys = table.crop_keys(videos, crops)
    unused, covered = table.columns.reach(keys)
    spans = table.rows.spans
    numbers, first, counts = np.unique(spans.video[unused], return_index=True, return_counts=True)
    for number, index, count in zip(numbers.tolist(), unused[first].tolist(), counts.tolist()):
        name, line = videos[number], int(table.table.lines[spans.row[index]])
        if not len(crops[name]):
            if table.search is None or not has_crop_error(table.search, name):
                yield Problem(WARNING, "no crop", _no_crop_message(table, number, count), table.file, line)
            continue
        what = "interval" if table.rows.by_interval else "label"
        message = f"video '{name}': {plural(count, what)} without a crop; here {_where(table, index)}"
        yield Problem(WARNING, "label without crop", message, table.file, line)
    bare = np.flatnonzero(~covered)
    if len(bare):
        video, frame = (int(part) for part in split_keys(keys[bare[0]]))
        message = (
            f"{len(bare):,} of {plural(len(keys), 'crop')} without a label, the first of them frame {frame:,} of "
            f"video '{videos[video]}'; they are not used"
        )
        yield Problem(WARNING, "no label", message, table.file)


def _where(table: CheckableTable, index: int) -> str:
    spans = table.rows.spans
    first, last = int(spans.first[index]), int(spans.last[index])
    if isinstance(table.sequences, ImageSequences):
        return table.sequences.explain(int(spans.row[index]))
    return f"frame {first:,}" if first >= last else f"frames {first:,} to {last:,}"


def _no_crop_message(table: CheckableTable, video: int, rows: int) -> str:
    name = table.rows.videos[video]
    use = "its only row cannot be used" if rows == 1 else f"none of its {rows:,} labeled rows can be used"
    message = f"video '{name}' has no crop; {use}"
    if isinstance(table.sequences, ImageSequences):
        spans = table.rows.spans
        index = int(np.argmax(spans.video == video))
        return f"{message}: {table.sequences.explain(int(spans.row[index]))}"
    assert table.search is not None
    other = names_in_other_case(table.search, table.rows.videos).get(name) or _similar_folder(table.search, name)
    return f"{message}; did you mean '{other}'?" if other else message


def _similar_folder(search: CropSearch, name: str) -> str | None:
    """Return a folder that has the name of a video with a suffix, such as `_left`."""
    stem = canonical_name(name)
    parts = (f"{stem}{suffix}" for suffix in ("_left", "_right"))
    folders = {canonical_name(folder): folder for folder in search.videos}
    return next((folders[part] for part in parts if part in folders), None)
