"""`framelight predict`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli.output import print_lines
from harness.utils.text import plural

if TYPE_CHECKING:
    from harness.inference.live import LiveSummary
    from harness.inference.predict import PredictSummary
    from harness.inference.result import PredictionResult

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> None:
    """Predict on a video and print a summary."""
    from harness.inference.api import predict
    from harness.inference.live import LiveSummary

    done = predict(
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
    for note in done.notes:
        logger.info(f"note: {note}")
    lines = (
        [*_prediction_lines(done.result, True), *_live_lines(done)]
        if isinstance(done, LiveSummary)
        else [*_prediction_lines(done.result, done.is_video), *_speed_lines(done)]
    )
    print_lines([*lines, *done.files])


def _prediction_lines(reading: PredictionResult, film: bool) -> Iterator[str]:
    import numpy as np

    frames, seen = len(reading.frames), len(np.unique(reading.frame[reading.found]))
    faces = len(np.unique(reading.face)) if film else len(reading.face)
    share = f", in {seen:,} of them ({100 * seen / frames:.1f} %)" if frames else ""
    yield f"{reading.source}: {plural(frames, 'frame')}, {plural(faces, 'face')}{share}"
    for one in reading.outputs:
        window = f"{one.kernel} of radius {one.radius}" if one.kernel != "none" else "no smoothing"
        yield f"run {one.name}: {one.task.name}, {one.label}, {window}"
    if not seen:
        logger.info(
            "note: no face was found; --smallest finds smaller ones, --crops reads images that are faces already"
        )


def _speed_lines(done: PredictSummary) -> Iterator[str]:
    if not done.frames:
        return
    speed, rate = done.frames / max(done.seconds, 1e-9), done.result.rate
    beside = f", {speed / rate:.1f} x the video's own {rate:.4g}" if rate else ""
    earlier = f"; {done.frames_before:,} were read before" if done.frames_before else ""
    yield f"{speed:.1f} frames a second{beside}{earlier}"


def _live_lines(watched: LiveSummary) -> Iterator[str]:
    yield (
        f"{watched.frames / max(watched.seconds, 1e-9):.1f} frames a second, {watched.dropped:,} dropped; "
        f"{watched.median:.0f} ms from a frame to its numbers (median; 95 %: {watched.p95:.0f})"
    )
    yield from watched.delays
