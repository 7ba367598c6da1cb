"""Published results on Aff-Wild2, with their sources, for comparison with runs.

`figures.csv` holds scores from the training notebooks of sb-ai-lab/EmotiEffLib, from abstracts (by arXiv number) and
from READMEs of other teams. The source `abaw3_train [42]` is cell 42 of abaw3_train.ipynb; a date in a source names the
version of the notebook. `costs.csv` holds size and speed from the README of EmotiEffLib.

These scores are left out: scores without a written source, such as those of the paper (Savchenko 2022,
arXiv:2203.13436) on the test sets; runs that were also trained on the validation set (cells 106 and 110); a score of
enet_b2_7 that erroneously repeats one of enet_b2_8; and a zero-shot F1 over seven classes, which is not P_EXPR.

Most validation scores were selected on the validation set itself, and the best of several runs was published.
"""

from __future__ import annotations

import csv
import dataclasses
import io
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
"""Rows with a valid label in the validation split of the third ABAW challenge, by task, with or without a crop."""

SCORED_ROWS = {"expr": 280_532, "va": 338_755, "au": 445_836, "mtl": 26_876}
"""Number of the `ANNOTATED_ROWS` that have a crop, by task. The scores of the paper are computed on these rows."""

METRIC_TERMS = {"P_VA": ("CCC_V", "CCC_A"), "P_MTL": ("P_VA", "P_EXPR", "P_AU")}
"""Terms from which a metric is computed if the source gives only the terms: P_VA is their mean, P_MTL their sum."""


@dataclass(frozen=True)
class PublishedCost:
    """Size and latency of a published network.

    Attributes
    ----------
    backbone : str
        Name of the network.
    size_mb : float
        Size of the weights in 10^6 bytes.
    milliseconds, deviation : float
        Mean and standard deviation of the latency per face on a Samsung Fold 3 (Qualcomm 888, Android 12).
    input_size : int
        Side of the input in pixels.
    embedding_width : int
        Dimensions of the embedding.
    """

    backbone: str
    size_mb: float
    milliseconds: float
    deviation: float
    input_size: int
    embedding_width: int


@cache
def published_figures() -> tuple[Record, ...]:
    """Return every published figure as a record of kind `published`, in the order of the file.

    Returns
    -------
    tuple of Record
        `dataset` is `Aff-Wild2`; for releases other than that of the third challenge, the edition follows in
        parentheses. `config` has `source` and, where the file gives them, `note`, `head` (`kind`, `hidden`) and
        `thresholds` (`chosen` or `half`). `annotated` and `scored` are `ANNOTATED_ROWS` and `SCORED_ROWS` for heads on
        the validation split of the third challenge; they are 0 for all other figures.
    """
    return tuple(_make_record(row, f"published-{number}") for number, row in enumerate(_read_csv("figures.csv"), 1))


@cache
def published_costs() -> tuple[PublishedCost, ...]:
    """Return size and latency of the published networks."""
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
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(io.StringIO(text, newline=""))


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
    """Parse `NAME=VALUE ...` and add the metrics of `METRIC_TERMS`; the task's metric comes first."""
    metrics = {name: float(value) for name, value in (pair.split("=") for pair in text.split())}
    for name, terms in METRIC_TERMS.items():
        if name not in metrics and all(term in metrics for term in terms):
            total = sum(metrics[term] for term in terms)
            metrics[name] = total / 2 if name == "P_VA" else total
    return {metric: metrics[metric], **metrics}


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
    runs: Iterable[Record], figures: Iterable[Record], annotated: Mapping[str, int], dataset: str
) -> list[Record]:
    """Add published results to runs, on the same board if they are comparable.

    A figure on the validation split of `dataset` is comparable with runs of the same task and protocol that have the
    number of labeled rows given in `annotated`. It is added to every board with such runs, and gets the dataset name
    and digest of the board. All other figures keep their dataset name and digest.

    Parameters
    ----------
    runs : iterable of Record
        Records of runs.
    figures : iterable of Record
        Published figures; see `published_figures`.
    annotated : mapping of str to int
        Number of rows with a valid label in the validation split of `dataset`, by task.
    dataset : str
        Dataset of the comparable figures.

    Returns
    -------
    list of Record
        The runs, followed by the figures.
    """
    runs = list(runs)
    boards: dict[tuple[str, str], dict[str, str]] = {(record.task, record.protocol): {} for record in runs}
    for record in runs:
        if record.split == "validation" and record.annotated and record.annotated == annotated.get(record.task):
            boards[record.task, record.protocol][record.data_digest] = record.dataset
    published: list[Record] = []
    for figure in figures:
        is_comparable = (figure.dataset, figure.split) == (dataset, "validation")
        datasets = boards.get((figure.task, figure.protocol), {}) if is_comparable else {}
        moved = [dataclasses.replace(figure, data_digest=digest, dataset=name) for digest, name in datasets.items()]
        published += moved or [figure]
    return runs + published
