"""`framelight predict`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli.output import print_lines
from harness.utils.text import format_percent, plural, ruled_table

if TYPE_CHECKING:
    from harness.inference.batch import BatchSummary
    from harness.inference.live import LiveSummary
    from harness.inference.predict import PredictSummary
    from harness.inference.result import PredictionResult

logger = logging.getLogger(__name__)


FAILED = 1
"""Exit code if some of several inputs could not be predicted."""


def main(arguments: argparse.Namespace) -> int:
    """Predict on the inputs and print a summary; return FAILED if some of several inputs failed, else 0."""
    from harness.inference.api import predict
    from harness.inference.batch import BatchSummary
    from harness.inference.live import LiveSummary

    summary = predict(
        arguments.inputs,
        arguments.runs,
        arguments.out,
        store=arguments.store,
        live=arguments.live,
        seed=arguments.seed,
        render=arguments.render,
        force=arguments.force,
        crops=True if arguments.crops else False if arguments.detect else None,
        detector=arguments.detector,
        smallest=arguments.smallest,
        margin=arguments.margin,
        missing=arguments.missing,
        kernel=arguments.kernel,
        radius=arguments.radius,
        seconds=arguments.seconds,
        engine=arguments.engine,
        boxes=arguments.boxes,
    )
    for note in summary.notes:
        logger.info(f"note: {note}")
    if isinstance(summary, BatchSummary):
        return _print_batch(summary)
    lines = (
        [*_prediction_lines(summary.result, True), *_live_lines(summary)]
        if isinstance(summary, LiveSummary)
        else [*_prediction_lines(summary.result, summary.is_video), *_speed_lines(summary)]
    )
    print_lines([*lines, *summary.files])
    return 0


def _print_batch(summary: BatchSummary) -> int:
    """Print a table of the predicted inputs and the number of failed inputs, and return the exit code.

    The reasons of the failures were logged when the inputs were read.
    """
    done = [row for row in summary.inputs if row.status != "failed"]
    cells = [
        (row.input, f"{row.frames:,}", f"{row.faces:,}", format_percent(row.found / max(row.frames, 1)), row.status)
        for row in done
    ]
    if cells:
        print_lines(ruled_table([("input", "frames", "faces", "found", "status"), *cells]))
    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    print_lines([f"{len(done)} of {plural(len(summary.inputs), 'input')} predicted{failed}", summary.files[0]])
    return FAILED if summary.failed else 0


def _prediction_lines(result: PredictionResult, is_video: bool) -> Iterator[str]:
    import numpy as np

    frames, with_face = len(result.frames), len(np.unique(result.frame[result.found]))
    faces = len(np.unique(result.face)) if is_video else len(result.face)
    share = f", found in {plural(with_face, 'frame')} ({format_percent(with_face / frames)})" if frames else ""
    yield f"{result.source}: {plural(frames, 'frame')}, {plural(faces, 'face')}{share}"
    for outputs in result.outputs:
        window = f"{outputs.kernel} of radius {outputs.radius}" if outputs.kernel != "none" else "no smoothing"
        yield f"run {outputs.name}: {outputs.task.name}, {outputs.label}, {window}"


def _speed_lines(summary: PredictSummary) -> Iterator[str]:
    if not summary.frames:
        return
    speed, rate = summary.frames / max(summary.seconds, 1e-9), summary.result.rate
    relative = f" ({speed / rate:.1f}x real time at {rate:.4g} frames per second)" if rate else ""
    resumed = f"; {plural(summary.frames_before, 'frame')} from an earlier call" if summary.frames_before else ""
    yield f"{speed:.1f} frames per second{relative}{resumed}"


def _live_lines(summary: LiveSummary) -> Iterator[str]:
    yield (
        f"{summary.frames / max(summary.seconds, 1e-9):.1f} frames per second, {summary.dropped:,} dropped; "
        f"latency {summary.median:.0f} ms (95th percentile: {summary.p95:.0f} ms)"
    )
    yield from summary.delays
