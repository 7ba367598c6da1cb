"""Figures that others have published on Aff-Wild2, with their sources, to be set beside runs.

`figures.csv` holds what was read in the training notebooks of sb-ai-lab/EmotiEffLib (`abaw3_train [42]` is cell 42 of
abaw3_train.ipynb; with a date, the version of that day), in abstracts (by their arXiv numbers) and in the READMEs of
other teams; `costs.csv` what the README of EmotiEffLib says of size and speed. Left out: scores known only from memory,
among them the paper's own on the test sets; runs that were trained on the validation set too (cells 106 and 110); a
figure of enet_b2_7 that repeats, by a slip, that of enet_b2_8; a zero-shot F1 over seven classes, which is no P_EXPR.

Most validation figures were chosen on the validation set itself, and the best of several runs were the ones published.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from harness.metrics.tasks import TASKS
from harness.tracking.records import Record
from harness.utils.hashing import content_hash

DATASET = "Aff-Wild2"
ANNOTATED_ROWS = {"expr": 284_230, "va": 344_714, "au": 445_845, "mtl": 27_087}
"""Validly labelled rows of the validation split of the third ABAW challenge, by task, with a crop or without."""

SCORED_ROWS = {"expr": 280_532, "va": 338_755, "au": 445_836, "mtl": 26_876}
"""Of these, the rows that have a crop, on which the paper scored."""

METRIC_TERMS = {"P_VA": ("CCC_V", "CCC_A"), "P_MTL": ("P_VA", "P_EXPR", "P_AU")}
"""What a metric is computed of where the source prints its terms alone: the mean of two, the sum of three."""


@dataclass(frozen=True)
class PublishedCost:
    """What a published network costs: 10^6 bytes of weights, and milliseconds a face (mean, standard deviation) on a
    Samsung Fold 3 (Qualcomm 888, Android 12); pixels a side; columns of its embedding.
    """

    backbone: str
    size_mb: float
    milliseconds: float
    deviation: float
    input_size: int
    embedding_width: int


@cache
def published_figures() -> tuple[Record, ...]:
    """Every published figure as a record of kind `published`, in the order of the file.

    dataset: `Aff-Wild2`, or with the edition in brackets for another release than the third challenge's. config:
    `head` (kind, hidden), `thresholds` (chosen or half), `source`, and `note` where there is something to say.
    annotated, scored: rows of the split where it is the one the paper scored on.
    """
    found: list[Record] = []
    for place, row in enumerate(_read_csv("figures.csv")):
        found.append(_make_record(row, f"published-{place + 1}"))
    return tuple(found)


@cache
def published_costs() -> tuple[PublishedCost, ...]:
    """Size and speed of the published networks."""
    return tuple(
        PublishedCost(
            backbone=row["backbone"],
            size_mb=float(row["size_mb"]),
            milliseconds=float(row["milliseconds"]),
            deviation=float(row["deviation"]),
            input_size=int(row["input_size"]),
            embedding_width=int(row["embedding_width"]),
        )
        for row in _read_csv("costs.csv")
    )


def _read_csv(name: str) -> Iterator[dict[str, str]]:
    with files(__package__).joinpath(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _make_record(row: dict[str, str], name: str) -> Record:
    task, split = TASKS[row["task"]], row["split"]
    dataset = DATASET if row["edition"] == "ABAW3" else f"{DATASET} ({row['edition']})"
    of_the_paper = dataset == DATASET and split == "validation" and bool(row["head"])
    thresholds = _parse_thresholds(row["thresholds"])
    metrics = _parse_metrics(row["metrics"], task.metric)
    return Record(
        job_id=name,
        group_id=f"{name}-{content_hash(row, 6)}",
        kind="published",
        task=task.name,
        dataset=dataset,
        data_digest="",
        split=split,
        protocol="published",
        backbone=row["backbone"],
        features=row["features"],
        head=row["head"],
        kernel=row["kernel"],
        radius=int(row["radius"]),
        thresholds=thresholds,
        metric=task.metric,
        metrics=metrics,
        unsmoothed=metrics if row["radius"] == "0" and row["head"] else {},
        seed=0,
        expected_seeds=(0,),
        annotated=ANNOTATED_ROWS[task.name] if of_the_paper else 0,
        scored=SCORED_ROWS[task.name] if of_the_paper else 0,
        coverage=SCORED_ROWS[task.name] / ANNOTATED_ROWS[task.name] if of_the_paper else None,
        config=_make_config(row, thresholds),
    )


def _parse_metrics(text: str, metric: str) -> dict[str, float]:
    """`NAME=VALUE ...`, the task's own metric first."""
    found = {name: float(value) for name, value in (pair.split("=") for pair in text.split())}
    for name, terms in METRIC_TERMS.items():
        if name not in found and all(term in found for term in terms):
            total = sum(found[term] for term in terms)
            found[name] = total / 2 if name == "P_VA" else total
    return {metric: found[metric], **found}


def _parse_thresholds(text: str) -> tuple[float, ...] | None:
    return tuple(map(float, text.split())) if text[:1].isdigit() else None


def _make_config(row: dict[str, str], thresholds: tuple[float, ...] | None) -> dict[str, Any]:
    config: dict[str, Any] = {"source": row["source"]}
    if row["note"]:
        config["note"] = row["note"]
    if row["hidden"]:
        config["head"] = {"kind": row["head"], "hidden": int(row["hidden"])}
    if row["thresholds"]:
        config["thresholds"] = "chosen" if thresholds else row["thresholds"]
    return config


def add_published_rows(
    runs: Iterable[Record],
    figures: Iterable[Record],
    annotated: Mapping[str, int],
    dataset: str,
    split: str = "validation",
) -> list[Record]:
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
        there = (
            boards.get((figure.task, figure.protocol), {}) if (figure.dataset, figure.split) == (dataset, split) else {}
        )
        placed += [dataclasses.replace(figure, data_digest=digest, dataset=name) for digest, name in there.items()] or [
            figure
        ]
    return runs + placed
