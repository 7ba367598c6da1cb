"""What our backbones cost once they are exported, as published networks are said to cost on a phone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.export.latency import Cost, measure
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.export.formats import Format
    from harness.export.network import Network

BACKBONES = ("tiny_mobilenet", "tiny_resnet", "mobilefacenet", "mobilenet_v4_small", "mobilenet_v3", "mobilenet_v1",
             "efficientnet_b0", "efficientnet_b2")
"""Those small enough for a phone."""
FORMATS = ("onnx", "litert", "executorch")
THREADS = (1, 2)
TASK = "expr"
CALIBRATION = 32


@dataclass(frozen=True, kw_only=True)
class Row:
    """One backbone with a linear head as one file.

    input: pixels a side; width: columns of the embedding; macs: of one crop, None where they cannot be counted; size:
    bytes of the file.
    """

    backbone: str
    input: int
    width: int
    parameters: int
    macs: int | None
    format: str
    precision: str
    size: int
    cost: Cost


def rows(say: Callable[[str], None], names: Sequence[str] = BACKBONES,
         formats: Sequence[str] = FORMATS) -> Iterator[Row]:
    """A row for each backbone, each format that is installed and each of its precisions, as they are measured.

    Weights are random (seed 0): cost depends on none. Takes about half a minute a row; what cannot be written or
    measured is said and left out.
    """
    import backbones
    from harness.export.formats import format_named
    from harness.export.network import fresh
    from harness.metrics.tasks import TASKS

    found = {name: format_named(name) for name in formats}
    for name, form in found.items():
        if todo := form.missing():
            say(f"{name} is left out: {todo}")
    with tempfile.TemporaryDirectory(prefix="framelight-mobile-") as folder:
        pictures = _pictures(Path(folder))
        for name in names:
            network = replace(fresh(backbones.load(f"{name}@random"), TASKS[TASK]), engines=Path(folder) / "engines")
            for form in found.values():
                for precision in () if form.missing() else form.precisions:
                    say(f"measuring {name} as {form.name} in {precision}")
                    try:
                        yield _row(name, network, form, precision, Path(folder), pictures)
                    except FramelightError as error:
                        say(f"left out: {error}")


def _row(name: str, network: Network, form: Format, precision: str, folder: Path, pictures: Sequence[Path]) -> Row:
    path = form.write(network, folder, precision, _calibration(network, pictures))
    parts = form.parts(path)
    try:
        cost = measure(form.name, path, network.size, THREADS)
        return Row(backbone=name, input=network.size, width=network.backbone.embedding_width,
                   parameters=network.cost.parameters, macs=network.cost.macs, format=form.name, precision=precision,
                   size=sum(part.stat().st_size for part in parts), cost=cost)
    finally:
        for part in parts:
            part.unlink()


def _pictures(folder: Path) -> list[Path]:
    from harness.bench.crops import drawn

    found = drawn(folder)
    return found[::max(1, len(found) // CALIBRATION)][:CALIBRATION]


def _calibration(network: Network, pictures: Sequence[Path]) -> np.ndarray:
    from PIL import Image

    from backbones.resizing import resize_all

    return resize_all([np.asarray(Image.open(path).convert("RGB")) for path in pictures],
                      network.backbone.spec.preprocessing)
