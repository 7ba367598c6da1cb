"""What a training leaves beside its entry, for whoever looks at it later: curves, confusion matrix, surest errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.tracking.serialization import MetricPoint
from harness.tracking.training_run import metric_points
from harness.utils.files import atomic_write_dir, write_json
from harness.utils.store import Store

if TYPE_CHECKING:
    import numpy as np

    from harness.data.stills import Stills
    from harness.runner.backbone_recipe import BackboneRecipe
    from harness.training.backbones.train import TrainedStills

CARD, HISTORY = "card.json", "history.json"


@dataclass(frozen=True)
class BackboneReport:
    """points: of the curves; metrics: those of the card; folder: the files."""

    points: list[MetricPoint]
    metrics: Mapping[str, float]
    folder: Path


def write_report(
    store: Store, trained: TrainedStills, splits: tuple[Stills, Stills | None], recipe: BackboneRecipe
) -> BackboneReport:
    """Write the report of a training: card.json, history.json and, where expressions were learned, two pictures."""
    from harness.training.backbones.figures import draw_confusion, draw_errors

    place = store.trainings / trained.folder.name
    shutil.rmtree(place, ignore_errors=True)
    with atomic_write_dir(place) as aside:
        shutil.copy2(trained.folder / CARD, aside / CARD)
        write_json(aside / HISTORY, trained.history)
        if trained.confusion is not None:
            shown = "validation" if "expression_macro_f1" in trained.metrics else "held-out training"
            draw_confusion(
                aside / "confusion.png",
                trained.confusion,
                trained.classes,
                f"{recipe.name}: {int(trained.confusion.sum()):,} {shown} images",
            )
            draw_errors(
                aside / "errors.png",
                trained.errors,
                lambda path: _load_crop(path, splits, recipe.training.margin),
                f"{recipe.name}: the errors it is surest of, truth → predicted and its probability",
            )
    return read_report(store, trained.folder)


def read_report(store: Store, folder: Path) -> BackboneReport:
    """The report of the entry in `folder`; a kill may have come before it was written, then the card is all of it."""
    place = store.trainings / folder.name
    if not place.is_dir():
        with atomic_write_dir(place) as aside:
            shutil.copy2(folder / CARD, aside / CARD)
    history = _read_json(place / HISTORY) or []
    curves = [
        point
        for epoch in history
        for point in metric_points(
            {name: value for name, value in epoch.items() if name not in ("stage", "epoch")},
            epoch["epoch"],
            f"{epoch['stage']}/",
        )
    ]
    return BackboneReport(curves, _read_json(place / CARD)["metrics"], place)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _load_crop(path: Path, splits: tuple[Stills, Stills | None], margin: tuple[float, float]) -> np.ndarray:
    from harness.data.boxes import crop_to_box
    from harness.data.image_decoding import decode_image

    for stills in splits:
        if stills is not None and stills.boxes is not None and path in stills.images:
            return crop_to_box(decode_image(path), stills.boxes[stills.images.index(path)], margin)
    return decode_image(path)
