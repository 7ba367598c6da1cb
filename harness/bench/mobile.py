"""Benchmark of exported backbones: size, latency and memory, next to published costs on a phone."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.export.formats import Format, format_named
from harness.export.latency import MeasuredCost, measure_cost
from harness.leaderboard.published import PublishedCost, published_costs
from harness.metrics.tasks import TASKS
from harness.utils.errors import FramelightError, unknown_name_error
from harness.utils.text import format_count, format_megabytes, format_three_digits, markdown_table, ruled_table

if TYPE_CHECKING:
    from harness.export.network import ExportNetwork

logger = logging.getLogger(__name__)

BACKBONES = (
    "tiny_mobilenet",
    "tiny_resnet",
    "mobilefacenet",
    "mobilenet_v4_small",
    "mobilenet_v3",
    "mobilenet_v1",
    "efficientnet_b0",
    "efficientnet_b2",
)
"""Backbones that are small enough for a phone."""
FORMATS = ("onnx", "litert", "executorch")
THREADS = (1, 2)
TASK = "expr"
CALIBRATION_IMAGES = 32


@dataclass(frozen=True, kw_only=True)
class MobileRow:
    """Cost of one backbone with a linear head, exported in one format and precision.

    Attributes
    ----------
    backbone : str
    input : int
        Side of a crop in pixels.
    width : int
        Columns of the embedding.
    parameters : int
    macs : int or None
        Multiply-accumulate operations of one crop, None if they cannot be counted.
    format, precision : str
    size : int
        Size of the file in bytes.
    cost : MeasuredCost
    """

    backbone: str
    input: int
    width: int
    parameters: int
    macs: int | None
    format: str
    precision: str
    size: int
    cost: MeasuredCost


def measure_rows(names: Sequence[str] = BACKBONES, formats: Sequence[str] = FORMATS) -> Iterator[MobileRow]:
    """Measure each backbone in each installed format and precision.

    Weights are random (seed 0), because cost does not depend on them. A row takes about half a minute. Combinations
    that cannot be written or measured are logged and left out.

    Parameters
    ----------
    names : sequence of str
        Backbones.
    formats : sequence of str

    Yields
    ------
    MobileRow
    """
    import backbones
    from harness.export.network import with_random_head

    by_name = {name: format_named(name) for name in formats}
    for name, form in by_name.items():
        if install := form.missing():
            logger.info(f"format {name} is left out because packages are missing: {install}")
    with tempfile.TemporaryDirectory(prefix="framelight-mobile-") as folder:
        pictures = _calibration_images(Path(folder))
        for name in names:
            network = replace(
                with_random_head(backbones.load(f"{name}@random"), TASKS[TASK]), engines=Path(folder) / "engines"
            )
            for form in by_name.values():
                for precision in () if form.missing() else form.precisions:
                    logger.info(f"measuring {name} as {form.name} in {precision}")
                    try:
                        yield _measure_row(name, network, form, precision, Path(folder), pictures)
                    except FramelightError as error:
                        logger.info(f"left out: {error}")


def _measure_row(
    name: str, network: ExportNetwork, form: Format, precision: str, folder: Path, pictures: Sequence[Path]
) -> MobileRow:
    path = form.write(network, folder, precision, _load_calibration_batch(network, pictures))
    parts = form.parts(path)
    try:
        cost = measure_cost(form.name, path, network.size, THREADS)
        return MobileRow(
            backbone=name,
            input=network.size,
            width=network.backbone.embedding_width,
            parameters=network.cost.parameters,
            macs=network.cost.macs,
            format=form.name,
            precision=precision,
            size=sum(part.stat().st_size for part in parts),
            cost=cost,
        )
    finally:
        for part in parts:
            part.unlink()


def _calibration_images(folder: Path) -> list[Path]:
    from harness.bench.crops import render_crops

    paths = render_crops(folder)
    return paths[:: max(1, len(paths) // CALIBRATION_IMAGES)][:CALIBRATION_IMAGES]


def _load_calibration_batch(network: ExportNetwork, pictures: Sequence[Path]) -> np.ndarray:
    from PIL import Image

    from backbones.resizing import resize_batch

    return resize_batch(
        [np.asarray(Image.open(path).convert("RGB")) for path in pictures], network.backbone.spec.preprocessing
    )


TABLE_FORMATS = ("table", "md", "json")
HEADER = (
    "backbone",
    "input",
    "width",
    "parameters",
    "MACs",
    "file",
    "size",
    "1 thread (p95)",
    "2 threads (p95)",
    "memory",
    "growth",
    "published, on a phone",
)
FILE_COLUMN = HEADER.index("file")
LEFT_ALIGNED = (0, FILE_COLUMN)
"""Left-aligned columns."""
LINE_WIDTH = 156
COUNTERPARTS = {"mobilenet_v1": "mobilenet_7", "efficientnet_b0": "enet_b0_8_best_vgaf", "efficientnet_b2": "enet_b2_8"}
"""Published network of the same architecture, by the name of the backbone."""
NOTES = (
    "Weights are random (seed 0) with a linear head of eight classes; cost does not depend on weights. "
    "Latency: milliseconds per crop, median of consecutive calls after warm-up; memory: peak resident memory of the "
    "process, including the interpreter and the runtime's libraries (ExecuTorch's Python package imports torch); "
    "growth: the part that was added by opening and running the file.",
    "Published, not measured here: size and milliseconds per frame, mean ± standard deviation, on a Samsung Fold 3 "
    "(Qualcomm 888, Android 12), from the README of EmotiEffLib, for the network of the same architecture: ",
)


def render(rows: Sequence[MobileRow], form: str = "table") -> str:
    """Format rows without a final newline; raise InputError if `form` is not one of TABLE_FORMATS."""
    if form not in TABLE_FORMATS:
        raise unknown_name_error("format", form, TABLE_FORMATS)
    device = rows[0].cost.device
    if form == "json":
        return json.dumps(
            {
                "device": device,
                "weights": "random (seed 0)",
                "rows": [_row_to_dict(row) for row in rows],
                "published": {
                    "device": "Samsung Fold 3 (Qualcomm 888, Android 12)",
                    "costs": [dataclasses.asdict(cost) for cost in published_costs()],
                },
            },
            indent=1,
        )
    notes = [NOTES[0], NOTES[1] + ", ".join(f"{theirs} for {ours}" for ours, theirs in COUNTERPARTS.items()) + "."]
    head, lines = f"Cost of one face crop on this machine: {device}", [_format_row(row) for row in rows]
    if form == "md":
        table = markdown_table(HEADER, lines, right=set(range(len(HEADER))) - set(LEFT_ALIGNED))
        return "\n\n".join([f"### {head}", table, *notes])
    filled = [textwrap.fill(note, LINE_WIDTH, break_on_hyphens=False) for note in notes]
    return "\n".join([head, "", *ruled_table([HEADER, *_blank_repeats(rows, lines)], LEFT_ALIGNED), "", *filled])


def _row_to_dict(row: MobileRow) -> dict:
    return {**dataclasses.asdict(row), "counterpart": COUNTERPARTS.get(row.backbone)}


def _format_row(row: MobileRow) -> tuple[str, ...]:
    cost = row.cost
    latency = [
        f"{format_three_digits(call.median)} ms ({format_three_digits(call.p95)})" for call in cost.latency.values()
    ]
    return (
        row.backbone,
        str(row.input),
        str(row.width),
        format_count(row.parameters),
        format_count(row.macs),
        f"{row.format} {row.precision}",
        f"{format_megabytes(row.size)} MB",
        *latency,
        f"{cost.memory:,.0f} MiB",
        f"{cost.growth:,.0f} MiB",
        _format_published_cost(row.backbone),
    )


def _format_published_cost(backbone: str) -> str:
    published: PublishedCost | None = next(
        (cost for cost in published_costs() if cost.backbone == COUNTERPARTS.get(backbone)), None
    )
    if published is None:
        return "-"
    return f"{published.size_mb:g} MB, {published.milliseconds:g} ± {published.deviation:g} ms"


def _blank_repeats(rows: Sequence[MobileRow], lines: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Blank the cells that are equal in every row of a backbone, except in its first row."""
    result: list[tuple[str, ...]] = []
    for index, (row, line) in enumerate(zip(rows, lines)):
        repeated = index > 0 and rows[index - 1].backbone == row.backbone
        result.append((*("" for _ in range(FILE_COLUMN)), *line[FILE_COLUMN:-1], "") if repeated else line)
    return result
