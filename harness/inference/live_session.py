"""Live session: write the rows of each frame while frames arrive, and build the final result at the end."""

from __future__ import annotations

import sys
import time
from array import array
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.live_buffer import RowArrays, append_rows, pack_rows
from harness.inference.live_smoothing import LiveRow, LiveSmoother
from harness.inference.predict_options import PredictOptions
from harness.inference.predict_session import PredictSession
from harness.inference.result import Outputs, PredictionResult
from harness.utils.console import has_cursor
from harness.utils.errors import InputError
from harness.utils.output_dir import replace_output_dir
from harness.video.frames import Frame

if TYPE_CHECKING:
    from harness.video.realtime import RealtimeSource

WRITE_SECONDS = 0.1
"""Minimum time in seconds between two writes of rows."""
STATUS_SECONDS = 0.5
"""Minimum time in seconds between two status lines."""
STATUS_FRAMES = 250
"""Number of recent frames that the status line covers."""


class LiveSession:
    """Tracks, filters and rows of a live session.

    While frames arrive, rows of a face are written only once the face is confirmed. The final tables also contain its
    earlier rows.
    """

    def __init__(self, options: PredictOptions, session: PredictSession, rate: float) -> None:
        self.options, self.session, self.rate = options, session, rate
        self.face_stage, self.stream = session.face_stage(), LiveSmoother(session.filters, rate)
        self.size = (0, 0)
        self.processed = array("d")
        """Three values per frame: number, time in seconds, latency in seconds."""
        self.fresh: list[LiveRow] = []
        """Rows since the last write."""
        self.saved: list[RowArrays] = []
        """Rows up to the last write."""
        self.written, self.write_time, self.status_time = 0, 0.0, 0.0

    def frames(self, start: int = 0) -> np.ndarray:
        """Get float64 [F, 3] of the frames from index `start` on: number, seconds, latency in seconds."""
        return np.array(self.processed[3 * start :]).reshape(-1, 3)

    @property
    def seconds(self) -> float:
        """Duration from the start of the first frame to the end of the last one."""
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
        """Compute the rows of a frame; return the value of `time.monotonic()` when they were complete."""
        seen = self.face_stage(frame)
        crops = [
            self.session.forwards[number](seen.crops[framing]) if len(seen.ids) else []
            for number, framing in enumerate(self.session.framing_indices)
        ]
        outputs = [values for forward in crops for values in forward]
        rows = self.stream(seen, outputs or [np.zeros((0, 0))] * len(self.session.filters))
        now = time.monotonic()
        self.size = seen.size if not self.processed else self.size
        self.processed.extend((seen.number, seen.seconds, now - frame.arrived))
        self.fresh += rows
        return now

    def append(self, last: bool = False) -> None:
        """Write the rows since the last write; with `last`, raise InputError if the session had no frame at all."""
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
        """Get the rows since the last write."""
        return pack_rows(self.fresh, [reader.task.width for reader in self.session.readers])

    def lines(self, frames: np.ndarray, rows: RowArrays, header: bool = True) -> str:
        """Format lines of predictions.csv."""
        from harness.inference.tables import as_csv, table

        return as_csv(table(self._result(frames, rows)), header)

    def result(self) -> PredictionResult:
        """Build the result of all frames; rows of a face after the last frame in which it was found are left out."""
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
        """Build the result of frames [F, 3] and their rows, without the faces that are not confirmed."""
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
