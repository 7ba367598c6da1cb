"""Splits and groups of the videos of a frame table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.data.coded_table import CodedTable
from harness.data.crop_folders import source_video
from harness.data.dataset import Labels
from harness.data.frame_labels import LabelColumns
from harness.data.frame_rows import FrameRows
from harness.data.image_table import TARGET_COLUMNS, VALIDATION_SHARE
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.splits import label_counts_by_unit
from harness.data.stratification import stratified_group_split
from harness.data.table_cells import SPLIT_NAMES, parse_words
from harness.metrics.tasks import TASKS

NAMES = ("train", "validation", "test")
_CODES = {word: NAMES.index(name) for word, name in SPLIT_NAMES.items()}


class VideoSplits:
    """Split and group of each video.

    Parameters
    ----------
    table : CodedTable
    rows : FrameRows
    columns : LabelColumns
    seed : int
        Seed of the validation split, for tables without a column `split`.

    Attributes
    ----------
    groups : tuple of str
        Group of each of V videos: its subject, or the video that it was cut from.
    has_subjects : bool
        Whether the table names a subject.
    code : int array of shape (V,)
        Index of each video's split in `NAMES`; -1 for none.
    faults : tuple of Problem
        Malformed cells, and rows of a video that contradict each other.
    """

    def __init__(self, table: CodedTable, rows: FrameRows, columns: LabelColumns, seed: int):
        self._table, self._rows = table, rows
        subject, faults = self._subjects()
        self.has_subjects = bool((subject >= 0).any())
        cells = table.columns["subject"].cells if "subject" in table.columns else np.zeros(0, object)
        self.groups = tuple(
            str(cells[code]) if code >= 0 else source_video(name) for name, code in zip(rows.videos, subject.tolist())
        )
        self._is_named = subject >= 0
        if "split" in table.columns:
            parse = partial(parse_words, "split", codes=_CODES, missing=-1, dtype=np.int64)
            values, _, malformed = table.parse("split", "split", parse)
            self.code, conflicts = self._one_for_each_video(values, "split", "is in {} here and in {} on line {}")
            self.faults = (*faults, *malformed, *conflicts)
        else:
            self.code, self.faults = self._draw(columns, seed), faults

    @property
    def available(self) -> tuple[str, ...]:
        """Names of the splits that have videos."""
        return tuple(name for code, name in enumerate(NAMES) if (self.code == code).any())

    def videos(self, split: str) -> tuple[str, ...]:
        """Return the videos of a split, sorted."""
        return tuple(self._rows.videos[number] for number in np.flatnonzero(self.code == NAMES.index(split)))

    def rows(self, split: str) -> np.ndarray:
        """Return a bool mask (R,) of the rows of a split."""
        return (self.code == NAMES.index(split))[self._rows.spans.video]

    def find_leaks(self) -> Iterator[Problem]:
        """Yield an error for each subject in two splits, and a warning if two splits have parts of one video."""
        first: dict[str, int] = {}
        for number, group in enumerate(self.groups):
            if self.code[number] < 0:
                continue
            other = first.setdefault(group, number)
            if self.code[other] == self.code[number]:
                continue
            here, there = (f"'{self._rows.videos[n]}' ({NAMES[self.code[n]]})" for n in (number, other))
            if self._is_named[number] and self._is_named[other]:
                message = f"subject '{group}' is in {here} and in {there}; keep each subject in one split"
                yield Problem(ERROR, "leak", message, self._table.path, self._line(number))
            else:
                message = f"{here} and {there} were cut from the same video, so they share its background"
                yield Problem(WARNING, "shared video", message, self._table.path, self._line(number))

    def _line(self, video: int) -> int:
        spans = self._rows.spans
        return int(self._table.lines[spans.row[np.argmax(spans.video == video)]])

    def _subjects(self) -> tuple[np.ndarray, tuple[Problem, ...]]:
        """Return the code of the subject of each video (-1 for none), and problems of the column."""
        if "subject" not in self._table.columns:
            return np.full(len(self._rows.videos), -1), ()
        column = self._table.columns["subject"]
        codes: dict[str, int] = {"": -1}
        first = np.array([codes.setdefault(cell, code) for code, cell in enumerate(column.cells.tolist())], np.int64)
        return self._one_for_each_video(column.spread(first), "subject", "has subject {} here and {} on line {}")

    def _one_for_each_video(
        self, values: np.ndarray, column: str, phrase: str
    ) -> tuple[np.ndarray, tuple[Problem, ...]]:
        """Return the first non-negative value of each video, and an error for each video whose values differ."""
        spans, lines = self._rows.spans, self._table.lines
        stated = np.flatnonzero(values[spans.row] >= 0)
        video, row = spans.video[stated], spans.row[stated]
        used, at = np.unique(video, return_index=True)
        result, origin = np.full(len(self._rows.videos), -1, np.int64), np.zeros(len(self._rows.videos), np.int64)
        result[used], origin[used] = values[row[at]], row[at]
        different = np.flatnonzero(values[row] != result[video])
        _, at = np.unique(video[different], return_index=True)
        cells, problems = self._table.columns[column], []
        for index in different[at].tolist():
            name, here, there = self._rows.videos[video[index]], int(row[index]), int(origin[video[index]])
            what = phrase.format(f"'{cells[here]}'", f"'{cells[there]}'", lines[there])
            message = f"video '{name}' {what}; a video has one {column}"
            problems.append(Problem(ERROR, column, message, self._table.path, int(lines[here])))
        return result, tuple(problems)

    def _draw(self, columns: LabelColumns, seed: int) -> np.ndarray:
        """Draw about a fifth of the groups as the validation split."""
        videos = self._rows.videos
        if len(set(self.groups)) < 2:
            return np.zeros(len(videos), np.int64)
        traits = [
            label_counts_by_unit(TASKS[output], self._row_labels(columns, output))
            for output, names in TARGET_COLUMNS.items()
            if all(name in self._table.columns for name in names)
        ]
        presence = np.concatenate(traits, axis=1) if traits else None
        held_out = stratified_group_split(videos, self.groups, VALIDATION_SHARE, seed, presence)
        return held_out.astype(np.int64)

    def _row_labels(self, columns: LabelColumns, output: str) -> Labels:
        """Return the labels of one output for each row, before they are spread to further frames."""
        spans, videos = self._rows.spans, self._rows.videos
        targets = {output: columns.row_targets(output)}
        return Labels(videos, spans.video, spans.first, videos, spans.video, self.groups, targets)
