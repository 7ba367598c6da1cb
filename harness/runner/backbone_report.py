"""Report of a backbone training: model card, curves, confusion matrix and the most confident errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.runner.backbone_recipe import BackboneRecipe
from harness.tracking.serialization import MetricPoint
from harness.tracking.training_run import metric_points
from harness.utils.files import atomic_write_dir, write_json
from harness.utils.plotting import optional_figures
from harness.utils.store import Store

if TYPE_CHECKING:
    import numpy as np

    from harness.data.stills import Stills
    from harness.training.backbones.trained_stills import TrainedStills

CARD, HISTORY = "card.json", "history.json"


@dataclass(frozen=True)
class BackboneReport:
    """Report of a training.

    Attributes
    ----------
    points : list of (name, value, step)
        Points of the learning curves.
    metrics : mapping of str to float
        Final metrics, from the model card.
    folder : Path
        Folder of the files.
    """

    points: list[MetricPoint]
    metrics: Mapping[str, float]
    folder: Path


def write_report(
    store: Store, trained: TrainedStills, splits: tuple[Stills, Stills | None], recipe: BackboneRecipe
) -> BackboneReport:
    """Write the report of a training: card.json, history.json and, if expressions were trained, two figures.

    Parameters
    ----------
    store : Store
        Store of the report.
    trained : TrainedStills
        Result of the training.
    splits : (Stills, Stills or None)
        Training and validation images.
    recipe : BackboneRecipe
        The recipe.

    Returns
    -------
    BackboneReport
        The report.
    """
    report_dir = store.trainings / trained.folder.name
    shutil.rmtree(report_dir, ignore_errors=True)
    with atomic_write_dir(report_dir) as temp_dir:
        shutil.copyfile(trained.folder / CARD, temp_dir / CARD)
        write_json(temp_dir / HISTORY, trained.history)
        if trained.confusion is not None:
            split = "validation" if "expression_macro_f1" in trained.metrics else "held-out training"
            with optional_figures(f"backbone {recipe.name}"):
                from harness.training.backbones.figures import draw_confusion, draw_errors

                draw_confusion(
                    temp_dir / "confusion.png",
                    trained.confusion,
                    trained.classes,
                    f"{recipe.name}: {int(trained.confusion.sum()):,} {split} images",
                )
                draw_errors(
                    temp_dir / "errors.png",
                    trained.errors,
                    lambda path: _load_crop(path, splits, recipe.training.margin),
                    f"{recipe.name}: most confident errors (truth → prediction, probability)",
                )
    return read_report(store, trained.folder)


def has_report(store: Store, folder: Path) -> bool:
    """Return whether the store has the report of the training that wrote this backbone folder."""
    try:
        return (store.trainings / folder.name / CARD).read_bytes() == (folder / CARD).read_bytes()
    except OSError:
        return False


def read_report(store: Store, folder: Path) -> BackboneReport:
    """Read the report of a trained backbone; if it is missing, first write one that has only the model card.

    Parameters
    ----------
    store : Store
        Store of the report.
    folder : Path
        Folder of the trained backbone.

    Returns
    -------
    BackboneReport
        The report.
    """
    report_dir = store.trainings / folder.name
    if not report_dir.is_dir():
        with atomic_write_dir(report_dir) as temp_dir:
            shutil.copyfile(folder / CARD, temp_dir / CARD)
    history = _read_json(report_dir / HISTORY) or []
    curves = [
        point
        for epoch in history
        for point in metric_points(
            {name: value for name, value in epoch.items() if name not in ("stage", "epoch")},
            epoch["epoch"],
            f"{epoch['stage']}/",
        )
    ]
    return BackboneReport(curves, _read_json(report_dir / CARD)["metrics"], report_dir)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _load_crop(path: Path, splits: tuple[Stills, Stills | None], margin: tuple[float, float]) -> np.ndarray:
    from harness.data.boxes import crop_to_box
    from harness.data.image_decoding import decode_image

    for stills in splits:
        if stills is not None and stills.boxes is not None and path in stills.images:
            return crop_to_box(decode_image(path, upright=True), stills.boxes[stills.images.index(path)], margin)
    return decode_image(path, upright=True)
