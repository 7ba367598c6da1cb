"""Scored runs on synthetic outputs, and helpers to inspect their figures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from harness import SmoothingGrid
from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.jobs.selection import select_postprocessing
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import get_task
from tests.helpers.records import record


def targets_of(generator, task, rows):
    """Labels of every output of the task, in runs of some frames."""
    held = np.repeat(generator.integers(0, 8, size=rows // 10 + 1), 10)[:rows]
    affect = np.tanh(held[:, None] / 4 - 1 + generator.normal(size=(rows, 2)) / 5)
    made = {
        "expr": held,
        "va": affect.astype(np.float32),
        "au": ((held[:, None] + np.arange(12)) % 4 == 0).astype(np.int8),
    }
    return {output.name: made[output.name] for output in task.outputs}


def outputs_of(generator, task, targets, noise):
    """Probabilities and values that follow the labels with noise."""
    exact = {
        "expr": lambda: 4.0 * np.eye(8)[targets["expr"]],
        "va": lambda: np.arctanh(targets["va"].clip(-0.99, 0.99)),
        "au": lambda: 4.0 * targets["au"] - 2.0,
    }
    logits = np.concatenate([exact[output.name]() for output in task.outputs], axis=1)
    return task.activate(logits + noise * generator.normal(size=logits.shape)).astype(np.float32)


def scored_run(
    name="expr",
    units=6,
    frames=40,
    noise=2.0,
    temporal=True,
    largest=6,
    targets=None,
    outputs=None,
    kept=None,
    **changes,
):
    """(record, replay, choice, statistics) as `plot_run` takes them; `kept`: frames with crop and label."""
    task, generator, rows = get_task(name), np.random.default_rng(5), units * frames
    unit, frame = np.repeat(np.arange(units), frames).astype(np.int32), np.tile(np.arange(1, frames + 1), units)
    targets = targets or targets_of(generator, task, rows)
    outputs = outputs_of(generator, task, targets, noise) if outputs is None else outputs
    names = tuple(f"{i}-30-640x480" for i in range(units))
    labels = Labels(names, unit, frame.astype(np.int32), names, unit, names, targets)
    predictions = Predictions(names, np.full(units, frames), frame.astype(np.int32), outputs)
    if kept is not None:
        held = np.isin(frame, kept)
        labels = labels.take(held)
        predictions = Predictions(names, np.full(units, len(kept)), frame[held].astype(np.int32), outputs[held])
    replay = Replay(task, predictions, labels, temporal)
    choice = select_postprocessing(replay, SmoothingGrid(largest=largest if temporal else 0))
    thresholds = 0.5 if choice.thresholds is None else np.array(choice.thresholds)
    statistics = replay.statistics(choice.kernel, choice.radius, thresholds)
    found, radii = score(statistics), range(largest + 1 if temporal else 1)
    curve = {
        kernel: {
            "radius": list(radii),
            "selected": [value - 0.1 for value in values],
            "reported": replay.metric_curve(kernel, radii, thresholds),
        }
        for kernel, values in choice.curves.items()
    }
    fields = dict(
        task=name,
        metric=task.metric,
        metrics=found.metrics,
        undefined=found.undefined,
        kernel=choice.kernel,
        radius=choice.radius,
        thresholds=choice.thresholds,
        curve=curve,
        units=units,
        unit="video" if temporal else "subject",
    )
    return record(**{**fields, **changes}), replay, choice, statistics


def pixels(path):
    """int [H, W, 3]."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def amount(path, colour):
    """Pixels of exactly that colour, `#rrggbb`."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(pixels(path) - wanted) <= 1).all(axis=-1).sum())
