"""Published figures set beside runs that were scored on the same rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from harness.tracking.records import Record


def beside(runs: Iterable[Record], figures: Iterable[Record], annotated: Mapping[str, int], dataset: str,
           split: str = "validation") -> list[Record]:
    """The runs and the figures, those of `split` on the boards of runs that were made as they were.

    annotated: by task, how many rows of `dataset`'s `split` have a valid label. A board of that split and of the
    figures' protocol whose runs have as many gets the figures of `dataset`, under its own name and digest; figures
    without such a board keep their own.
    """
    runs = list(runs)
    boards = {(record.task, record.protocol): {} for record in runs}
    for record in runs:
        if record.split == split and record.annotated and record.annotated == annotated.get(record.task):
            boards[record.task, record.protocol][record.data_digest] = record.dataset
    placed = []
    for figure in figures:
        there = boards.get((figure.task, figure.protocol), {}) if (figure.dataset, figure.split) == (dataset, split) \
            else {}
        placed += [dataclasses.replace(figure, data_digest=digest, dataset=name) for digest, name in there.items()] \
            or [figure]
    return runs + placed
