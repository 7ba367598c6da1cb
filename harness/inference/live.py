"""Real-time inference on a camera, or on a video played in real time, without look-ahead."""

from __future__ import annotations

import logging
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.face_stage import SIDE
from harness.inference.inputs import CAMERA
from harness.inference.live_buffer import RowArrays, append_rows, pack_rows
from harness.inference.live_smoothing import LiveRow, LiveSmoother
from harness.inference.predict_files import write_files
from harness.inference.predict_options import PredictOptions, check_options
from harness.inference.predict_session import Models, PredictSession, open_session
from harness.inference.result import Outputs, PredictionResult
from harness.inference.result_notes import result_notes
from harness.smoothing.kernels import mean_lag
from harness.utils.console import has_cursor
from harness.utils.errors import InputError
from harness.utils.output_dir import replace_output_dir
from harness.video.frames import DEFAULT_RATE, Frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.video.realtime import RealtimeSource

logger = logging.getLogger(__name__)

WRITE_SECONDS = 0.1
"""Seconds between two writes of rows."""
STATUS_SECONDS = 0.5
"""Seconds between two status lines."""
WARM_UP_FRAMES = 3
"""Number of times that a frame is processed before the clock starts."""
CAMERA_SIZE = (480, 640)
"""Height and width of the blank frame for a camera."""
STATUS_FRAMES = 250
"""Number of recent frames that the status line covers."""


@dataclass(frozen=True, eq=False)
class LiveSummary:
    """Result of a live session.

    Attributes
    ----------
    result : PredictionResult
    files : tuple of Path
        Files written.
    seconds : float
        Seconds from the first to the last frame.
    frames : int
        Number of frames processed.
    dropped : int
        Number of frames that arrived while another was processed.
    median, p95 : float
        Latency in milliseconds from the arrival of a frame to its outputs.
    delays : tuple of str
        Description of the lag of each run's filter.
    notes : tuple of str
        Problems of the input.
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
        _warm_up(_LiveSession(options, session, rate))
        live = _LiveSession(options, session, rate)
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


def _warm_up(live: _LiveSession) -> None:
    """Process a frame several times before the clock starts: first calls of networks and tables can take seconds.

    It is the first frame of a video. A camera could not show it again, so that a blank frame stands for it.

    Parameters
    ----------
    live : _LiveSession
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


class _LiveSession:
    """State of a live session.

    Rows of faces that are not confirmed yet are not written; the final tables contain them if the face is confirmed
    later.
    """

    def __init__(self, options: PredictOptions, session: PredictSession, rate: float) -> None:
        self.options, self.session, self.rate = options, session, rate
        self.face_stage, self.stream = session.face_stage(), LiveSmoother(session.filters, rate)
        self.size = (0, 0)
        self.processed = array("d")
        """Three values per frame: number, time in seconds, latency in seconds."""
        self.fresh: list[LiveRow] = []
        """Rows that are not written yet."""
        self.saved: list[RowArrays] = []
        """Rows that are written."""
        self.written, self.write_time, self.status_time = 0, 0.0, 0.0

    def frames(self, start: int = 0) -> np.ndarray:
        """Get float64 [F, 3] of the frames from index `start` on: number, seconds, latency in seconds."""
        return np.array(self.processed[3 * start :]).reshape(-1, 3)

    @property
    def seconds(self) -> float:
        """Duration from the first to the last frame."""
        times = self.frames()[:, 1]
        return times[-1] - times[0] + 1 / self.rate

    def latency(self, percentile: float) -> float:
        """Compute a percentile of the latency in milliseconds."""
        return 1000 * float(np.percentile(self.frames()[:, 2], percentile))

    def run(self, source: RealtimeSource) -> None:
        """Process the frames of a source and write rows at intervals."""
        for frame in source:
            now = self.process(frame)
            if now - self.write_time >= WRITE_SECONDS:
                self.write_time = now
                self.append()
            if now - self.status_time >= STATUS_SECONDS:
                self.status_time = now
                self._print_status(source)

    def process(self, frame: Frame) -> float:
        """Compute the rows of a frame; return when they were there, by `time.monotonic()`."""
        seen = self.face_stage(frame)
        crops = [
            self.session.forwards[number](seen.crops[margin]) if len(seen.ids) else []
            for number, margin in enumerate(self.session.margin_indices)
        ]
        outputs = [values for forward in crops for values in forward]
        rows = self.stream(seen, outputs or [np.zeros((0, 0))] * len(self.session.filters))
        now = time.monotonic()
        self.size = seen.size if not self.processed else self.size
        self.processed.extend((seen.number, seen.seconds, now - frame.arrived))
        self.fresh += rows
        return now

    def append(self, last: bool = False) -> None:
        """Write the rows that were added since the last call, complete lines only."""
        from harness.inference.tables import CSV

        if not self.processed:
            if last:
                raise InputError(f"{self.options.input}: no frame could be read; check the camera or the file")
            return
        frames = self.frames(self.written)
        rows = self.unwritten_rows()
        saved = append_rows(self.saved, rows)
        self.saved, self.fresh = saved, []  # one statement, so that Ctrl-C neither loses nor repeats a row
        path = self.options.out / CSV
        if self.written == 0:
            with replace_output_dir(self.options.out) as temp_dir:
                (temp_dir / CSV).write_text(self.lines(frames, rows), encoding="utf-8")
        elif len(frames):
            with path.open("ab", buffering=0) as file:
                file.write(self.lines(frames, rows, header=False).encode())
        self.written += len(frames)

    def unwritten_rows(self) -> RowArrays:
        """Get the rows that are not written yet."""
        return pack_rows(self.fresh, [reader.task.width for reader in self.session.readers])

    def lines(self, frames: np.ndarray, rows: RowArrays, header: bool = True) -> str:
        """Format lines of predictions.csv."""
        from harness.inference.tables import as_csv, table

        return as_csv(table(self._result(frames, rows)), header)

    def result(self) -> PredictionResult:
        """Build the result of all frames, without rows after a face was last seen."""
        rows = append_rows(self.saved, all_in_one=True)[0]
        return self._result(self.frames(), rows.take(rows.until_last_found()))

    def _print_status(self, source: RealtimeSource) -> None:
        if has_cursor(sys.stderr):
            _, times, latencies = self.frames(max(0, len(self.processed) // 3 - STATUS_FRAMES)).T
            speed = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
            median, p95 = np.percentile(latencies, (50, 95)) * 1000
            sys.stderr.write(
                f"\r\033[K{speed:.1f} frames per second, {source.dropped:,} dropped, "
                f"latency {median:.0f} ms (95th percentile: {p95:.0f} ms)"
            )
            sys.stderr.flush()

    def clear_status(self) -> None:
        """Erase the status line."""
        if self.status_time and has_cursor(sys.stderr):
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _result(self, frames: np.ndarray, rows: RowArrays) -> PredictionResult:
        """Build the result of frames [F, 3] and their rows, with the faces that are confirmed."""
        confirmed = self.face_stage.confirmed_tracks()
        names = np.zeros(max([int(rows.id.max(initial=0)), *confirmed]) + 1, np.int32)
        names[list(confirmed)] = list(confirmed.values())
        rows = rows.take(names[rows.id] > 0)
        face = names[rows.id]
        order = np.lexsort((face, rows.frame))
        rows, face = rows.take(order), face[order]
        has_output = rows.found | (self.options.missing == "filled")
        outputs = tuple(
            Outputs(
                reader.name,
                reader.task,
                raw,
                np.where(has_output[:, None], smoothed, np.nan),
                chosen.kernel,
                chosen.radius,
                chosen.thresholds,
                reader.label,
                reader.synthetic,
            )
            for reader, chosen, raw, smoothed in zip(
                self.session.readers, self.session.filters, rows.raw, rows.smoothed
            )
        )
        return PredictionResult(
            self.options.input,
            self.rate,
            self.size,
            frames[:, 0].astype(np.int32),
            frames[:, 1],
            rows.frame,
            face,
            rows.found,
            rows.boxes,
            rows.scores,
            outputs,
        )
