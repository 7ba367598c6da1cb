"""`framelight predict`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli.output import print_lines
from harness.utils.text import format_percent, plural

if TYPE_CHECKING:
    from harness.inference.live import LiveSummary
    from harness.inference.predict import PredictSummary
    from harness.inference.result import PredictionResult

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> None:
    """Predict on a video and print a summary."""
    from harness.inference.api import predict
    from harness.inference.live import LiveSummary

    summary = predict(
        arguments.input,
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
    )
    for note in summary.notes:
        logger.info(f"note: {note}")
    lines = (
        [*_prediction_lines(summary.result, True), *_live_lines(summary)]
        if isinstance(summary, LiveSummary)
        else [*_prediction_lines(summary.result, summary.is_video), *_speed_lines(summary)]
    )
    print_lines([*lines, *summary.files])


def _prediction_lines(result: PredictionResult, is_video: bool) -> Iterator[str]:
    import numpy as np

    frames, with_face = len(result.frames), len(np.unique(result.frame[result.found]))
    faces = len(np.unique(result.face)) if is_video else len(result.face)
    share = f", found in {plural(with_face, 'frame')} ({format_percent(with_face / frames)})" if frames else ""
    yield f"{result.source}: {plural(frames, 'frame')}, {plural(faces, 'face')}{share}"
    for outputs in result.outputs:
        window = f"{outputs.kernel} of radius {outputs.radius}" if outputs.kernel != "none" else "no smoothing"
        yield f"run {outputs.name}: {outputs.task.name}, {outputs.label}, {window}"
    if not with_face:
        logger.info("note: no face was found; detect smaller faces with --smallest, or use --crops for face crops")


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
