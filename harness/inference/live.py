"""Real-time inference on a camera, or on a video played in real time, without look-ahead."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.face_stage import SIDE
from harness.inference.inputs import CAMERA
from harness.inference.live_session import LiveSession
from harness.inference.predict_files import write_files
from harness.inference.predict_options import PredictOptions, check_options
from harness.inference.predict_session import Models, PredictSession, open_session
from harness.inference.result import PredictionResult
from harness.inference.result_notes import result_notes
from harness.smoothing.kernels import mean_lag
from harness.utils.errors import InputError
from harness.video.frames import DEFAULT_RATE, Frame

if TYPE_CHECKING:
    import pandas as pd


logger = logging.getLogger(__name__)

WARM_UP_FRAMES = 3
"""Number of times that a sample frame is processed before the live session starts."""
CAMERA_SIZE = (480, 640)
"""Height and width of the blank frame with which a camera session is warmed up."""


@dataclass(frozen=True, eq=False)
class LiveSummary:
    """Result of a live session.

    Attributes
    ----------
    result : PredictionResult
    files : tuple of Path
        Files in the output folder.
    seconds : float
        Seconds from the start of the first frame to the end of the last one.
    frames : int
        Number of frames processed.
    dropped : int
        Number of frames that were skipped because a newer frame had already arrived.
    median, p95 : float
        Median and 95th percentile of the latency in milliseconds, from the arrival of a frame to its outputs.
    delays : tuple of str
        For each run, a line of text with the lag of its filter.
    notes : tuple of str
        Messages about problems of the input and of the result.
    """

    result: PredictionResult
    files: tuple[Path, ...]
    seconds: float
    frames: int
    dropped: int
    median: float
    p95: float
    delays: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """The rows of `predictions.csv`."""
        from harness.inference.tables import table

        return table(self.result)


def run_live(options: PredictOptions) -> LiveSummary:
    """Process an input in real time until it ends, `options.seconds` have passed or Ctrl-C is pressed.

    Rows are appended to predictions.csv as frames arrive; all files are completed at the end.

    Raises
    ------
    InputError
        If the input, a run or an option is not valid.
    FramelightError
        If files of a model are missing or have changed.
    """
    from harness.video.realtime import RealtimeSource
    from harness.video.source import open_source

    check_options(options, live=True)
    if options.render and options.input.startswith("camera:"):
        raise InputError(
            "--render reads the video a second time, which a camera does not allow; leave it out, or record a video "
            "and pass that"
        )
    with ExitStack() as context:
        source = context.enter_context(RealtimeSource(open_source(options.input, options.crops, options.seconds)))
        session = open_session(options, source, Models(options, source.frames, live=True))
        rate = source.rate or DEFAULT_RATE
        delays = tuple(_delay_lines(session, rate))
        for line in delays:
            logger.info(line)
        _warm_up(LiveSession(options, session, rate))
        live = LiveSession(options, session, rate)
        try:
            live.run(source)
        except KeyboardInterrupt:
            logger.info("stopped; completing the tables")
        finally:
            live.clear_status()
        live.append(last=True)
    result = live.result()
    source.notes += result_notes(session, live.face_stage, result)
    files = write_files(options, result, session, options.out)
    return LiveSummary(
        result,
        files,
        live.seconds,
        len(result.frames),
        source.dropped,
        live.latency(50),
        live.latency(95),
        delays,
        tuple(source.notes),
    )


def _warm_up(live: LiveSession) -> None:
    """Process a sample frame several times, because the first calls of networks and libraries can take seconds.

    The sample is the first frame of a video. For a camera, whose first frame cannot be read twice, it is a blank frame.

    Parameters
    ----------
    live : LiveSession
        A session that is not used afterwards.
    """
    pixels, session = _sample_pixels(live.options), live.session
    for number in range(1, WARM_UP_FRAMES + 1):
        live.process(Frame(number, number / live.rate, pixels, time.monotonic()))
        for forward in session.forwards:
            forward([np.zeros((SIDE, SIDE, 3), np.uint8)])
        live.lines(live.frames(), live.unwritten_rows())


def _sample_pixels(options: PredictOptions) -> np.ndarray:
    from harness.video.source import open_source

    if options.input.startswith(CAMERA):
        return np.zeros((*CAMERA_SIZE, 3), np.uint8)
    with open_source(options.input, options.crops) as source:
        return next(iter(source)).pixels


def _delay_lines(session: PredictSession, rate: float) -> Iterator[str]:
    for reader, params in zip(session.readers, session.filters):
        frames = mean_lag(params.kernel, params.radius)
        window = f"{params.kernel} of radius {params.radius}" if params.kernel != "none" else "no smoothing"
        yield f"run {reader.name}: {window}, mean lag {1000 * frames / rate:.0f} ms at {rate:.4g} frames per second"
