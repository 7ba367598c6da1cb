"""Labels of the frames of a frame table. Labels are spread to further frames as its `FrameSettings` say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.data.annotation_formats import ACTION_UNIT_RULE, AFFECT_RULE, shorten
from harness.data.coded_table import MAX_FAULTS, CodedTable
from harness.data.frame_rows import FrameRows
from harness.data.frame_settings import FrameSettings
from harness.data.image_table import TARGET_COLUMNS
from harness.data.image_table_checks import find_partial_labels
from harness.data.label_spreading import (
    Coverage,
    Spans,
    cover,
    find_conflicts,
    frame_keys,
    paint,
    split_keys,
    spread_points,
)
from harness.data.problems import ERROR, Problem
from harness.data.table_cells import EXPRESSION_NAMES, parse_distinct_numbers, parse_words, problem_kind
from harness.metrics.tasks import AFFECTS

DTYPES = {"expr": np.int64, "va": np.float32, "au": np.int8}
NO_LABEL = {"expr": -1, "va": -5, "au": -1}
_WORDS = EXPRESSION_NAMES | {"": NO_LABEL["expr"]}


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """Labels of F frames.

    Attributes
    ----------
    keys : int64 array of shape (F,)
        Video and frame of each label as one integer, ascending; see `frame_keys`.
    targets : dict of str to array
        See `Labels.targets`.
    problems : tuple of Problem
        Malformed cells, and labels that contradict each other.
    warnings : tuple of Problem
        Warnings about frames that have only some of the labels of an output.
    """

    keys: np.ndarray
    targets: dict[str, np.ndarray]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class LabelColumns:
    """Label columns of a frame table, each parsed at its first use.

    Parameters
    ----------
    table : CodedTable
    rows : FrameRows
    settings : FrameSettings
    """

    def __init__(self, table: CodedTable, rows: FrameRows, settings: FrameSettings):
        self._table, self._rows, self._settings = table, rows, settings
        self._parsed: dict[str, tuple[np.ndarray, tuple[Problem, ...]]] = {}

    @property
    def is_exact(self) -> bool:
        """Whether each label applies to one frame only, which need not have a crop."""
        return self._settings.spread == "exact" and not self._rows.by_interval

    def filled(self, name: str) -> np.ndarray:
        """Return a bool mask of the rows of `FrameRows.spans` whose cell in a column is not empty."""
        return self._table.columns[name].filled[self._rows.spans.row]

    def row_targets(self, output: str) -> np.ndarray:
        """Return the labels of one output for each row, before they are spread; malformed cells have no label."""
        columns = [self._parse(name)[0][self._rows.spans.row] for name in TARGET_COLUMNS[output]]
        values = columns[0] if output == "expr" else np.stack(columns, axis=1)
        return values.astype(DTYPES[output])

    def read(self, outputs: tuple[str, ...], selected: np.ndarray, crop_keys: Callable[[], np.ndarray]) -> FrameLabels:
        """Return the labels of frames.

        Parameters
        ----------
        outputs : tuple of str
            Outputs whose columns all exist.
        selected : bool array of shape (R,)
            Rows to read.
        crop_keys : callable
            Returns the keys of the crops in ascending order; labels that are not exact are spread to these frames.
        """
        names = [name for output in outputs for name in TARGET_COLUMNS[output]]
        filled = {name: self.filled(name) & selected for name in names}
        if self.is_exact:
            used = self._rows.spans.take(np.logical_or.reduce(list(filled.values())))
            keys = np.unique(frame_keys(used.video, used.first))
        else:
            keys = crop_keys()
        problems = list(self._malformed(names, selected))
        labeled, columns = np.zeros(len(keys), bool), {}
        cached: tuple[np.ndarray, Spans, Spans, Coverage] | None = None
        for name in names:
            if cached is None or not np.array_equal(cached[0], filled[name]):
                spans = self._rows.spans.take(filled[name])
                cached = filled[name], spans, *self._cover(spans, keys)
            _, spans, spread, coverage = cached
            values = self._parse(name)[0][spread.row]
            problems += self._repeated(name, spans)
            columns[name], owner = paint(coverage, values, len(keys), _missing(name))
            labeled |= owner >= 0
            for label, other, position in find_conflicts(coverage, values, columns[name], owner)[:MAX_FAULTS].tolist():
                problems.append(self._conflict(name, spread.row[[label, other]], keys[position]))
        stacked = {
            output: np.stack([columns[name][labeled] for name in TARGET_COLUMNS[output]], axis=1) for output in outputs
        }
        targets = {
            output: (values[:, 0] if output == "expr" else values).astype(DTYPES[output])
            for output, values in stacked.items()
        }
        keys = keys[labeled]
        warnings = [warning for each in outputs for warning in self._partial(each, targets[each], keys, filled)]
        return FrameLabels(keys, targets, tuple(dict.fromkeys(problems)), tuple(warnings))

    def reach(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find labels that no crop has, and crops that have a label.

        Parameters
        ----------
        keys : int64 array of shape (F,)
            Keys of all crops, ascending.

        Returns
        -------
        unused : int array
            Ascending indices of the labeled rows whose labels apply to no crop.
        covered : bool array of shape (F,)
            Whether each crop has a label.
        """
        spans = self._rows.spans
        labeled, reached, covered = np.zeros(len(spans), bool), np.zeros(len(spans), bool), np.zeros(len(keys), bool)
        for name in self._names():
            spread, coverage = self._cover(spans.take(self.filled(name)), keys)
            index = np.searchsorted(spans.row, spread.row)
            labeled[index] = True
            reached[index[coverage.label]] = True
            covered[coverage.position] = True
        return np.flatnonzero(labeled & ~reached), covered

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Yield (row, first row) for each table row that repeats a label of an earlier row for the same frame."""
        spans, repeated = self._rows.spans, dict[int, int]()
        for name in self._names() if not self._rows.by_interval else ():
            part = spans.take(np.flatnonzero(self.filled(name)))
            keys, first, inverse = np.unique(frame_keys(part.video, part.first), return_index=True, return_inverse=True)
            if len(keys) < len(part):
                later = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
                repeated |= dict(zip(part.row[later].tolist(), part.row[first[inverse[later]]].tolist()))
        yield from sorted(repeated.items())

    def _names(self) -> list[str]:
        return [name for names in TARGET_COLUMNS.values() for name in names if name in self._table.columns]

    def _cover(self, spans: Spans, keys: np.ndarray) -> tuple[Spans, Coverage]:
        if not self._rows.by_interval:
            spans = spread_points(spans, self._settings.spread, self._settings.max_frames)
        return spans, cover(spans, keys)

    def _repeated(self, name: str, spans: Spans) -> Iterator[Problem]:
        """Yield an error for each label that contradicts another label of the same frame, ignoring spread labels."""
        if self.is_exact or self._rows.by_interval:
            return
        keys = np.unique(frame_keys(spans.video, spans.first))
        if len(keys) == len(spans):
            return
        coverage, values = cover(spans, keys), self._parse(name)[0][spans.row]
        painted = paint(coverage, values, len(keys), _missing(name))
        for label, other, position in find_conflicts(coverage, values, *painted)[:MAX_FAULTS].tolist():
            yield self._conflict(name, spans.row[[label, other]], keys[position])

    def _conflict(self, name: str, rows: np.ndarray, key: np.int64) -> Problem:
        earlier, later = sorted(rows.tolist())
        column, lines = self._table.columns[name], self._table.lines
        video, frame = (int(part) for part in split_keys(np.asarray(key)))
        here, there = shorten(column[later]), shorten(column[earlier])
        message = (
            f"{name} is {here} here but {there} on line {lines[earlier]}, both for frame {frame:,} of video "
            f"'{self._rows.videos[video]}'; remove one of the two labels"
        )
        return Problem(ERROR, "conflict", message, self._table.path, int(lines[later]))

    def _partial(
        self, output: str, targets: np.ndarray, keys: np.ndarray, filled: dict[str, np.ndarray]
    ) -> Iterator[Problem]:
        """Yield a warning if frames have only some of the labels of an output."""

        def line_of(frame: int, name: str) -> int:
            spread, coverage = self._cover(self._rows.spans.take(filled[name]), keys[[frame]])
            return int(self._table.lines[spread.row[coverage.label[0]]])

        return find_partial_labels(self._table.path, output, targets, "frame", line_of)

    def _malformed(self, names: list[str], selected: np.ndarray) -> Iterator[Problem]:
        faults = [fault for name in names for fault in self._parse(name)[1]]
        if faults:
            lines = set(self._table.lines[self._rows.spans.row[selected]].tolist())
            yield from (fault for fault in faults if fault.line in lines)

    def _parse(self, name: str) -> tuple[np.ndarray, tuple[Problem, ...]]:
        """Return the value of a column in each row of the table, and the problems of malformed cells."""
        if name not in self._parsed:
            if name == "expression":
                parse = partial(parse_words, name, codes=_WORDS, missing=NO_LABEL["expr"], dtype=np.int64)
            else:
                rule = AFFECT_RULE if name in AFFECTS else ACTION_UNIT_RULE
                parse = partial(parse_distinct_numbers, name, rule=rule)
            values, _, faults = self._table.parse(name, problem_kind(name), parse)
            dtype = np.float32 if name in AFFECTS else np.int8
            self._parsed[name] = values.astype(dtype), faults
        return self._parsed[name]


def _missing(name: str) -> int:
    return NO_LABEL["va"] if name in AFFECTS else NO_LABEL["au"]
