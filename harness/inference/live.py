"""`framelight predict` of a camera, or of a video as if from one: nothing waits, no later frame is known."""

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
from harness.inference.live_buffer import RowArrays, append_rows, pack_rows
from harness.inference.live_smoothing import LiveRow, LiveSmoother
from harness.inference.predict import PredictOptions, PredictSession, check_options, open_session, write_files
from harness.inference.result import Outputs, PredictionResult
from harness.smoothing.kernels import mean_lag
from harness.utils.errors import InputError
from harness.utils.output_dir import replace_output_dir
from harness.video.frames import DEFAULT_RATE

if TYPE_CHECKING:
    import pandas as pd

    from harness.video.realtime import RealtimeSource

logger = logging.getLogger(__name__)

WRITE_SECONDS = 0.1
"""Seconds between two writings of rows."""
STATUS_SECONDS = 0.5
"""Seconds between two lines of status."""
STATUS_FRAMES = 250
"""Frames whose latency the status is of."""


@dataclass(frozen=True, eq=False)
class LiveSummary:
    """What was read. seconds: from the first frame to the last; frames: read; dropped: that came while another was
    read; median, p95: milliseconds from a frame's arrival to its numbers; delays: of the filters, in words.
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


def run_live(wanted: PredictOptions) -> LiveSummary:
    """Read until the input ends, `wanted.seconds` are over or Ctrl-C comes; then tables and picture are made whole.

    Rows are added to predictions.csv as they come. InputError for an input, run or setting that cannot be.
    """
    from harness.video.realtime import RealtimeSource
    from harness.video.source import open_source

    check_options(wanted, live=True)
    if wanted.render and wanted.input.startswith("camera:"):
        raise InputError(
            "--render reads the video once more, and a camera keeps none; leave it out, or record a video and name that"
        )
    with ExitStack() as context:
        source = context.enter_context(RealtimeSource(open_source(wanted.input, wanted.crops, wanted.seconds)))
        setting = open_session(wanted, source, live=True)
        rate = source.rate or DEFAULT_RATE
        delays = tuple(_delay_lines(setting, rate))
        for line in delays:
            logger.info(line)
        session = _LiveSession(wanted, setting, rate)
        _warm_up(session)
        try:
            session.run(source)
        except KeyboardInterrupt:
            logger.info("stopped; the tables are completed")
        finally:
            session.clear_status()
        session.append(last=True)
    reading = session.result()
    files = write_files(wanted, reading, setting, wanted.out)
    return LiveSummary(
        reading,
        files,
        session.seconds,
        len(reading.frames),
        source.dropped,
        session.latency(50),
        session.latency(95),
        delays,
        tuple(source.notes),
    )


def _warm_up(session: _LiveSession) -> None:
    """The first call of a network, a detector or a table takes many times as long as the others: seconds are lost."""
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    for forward in session.setting.forwards:
        forward([blank])
    if session.setting.detector is not None:
        session.setting.detector(blank)
    session.lines(np.zeros((0, 3)), session.unwritten_rows())


def _delay_lines(setting: PredictSession, rate: float) -> Iterator[str]:
    for reader, chosen in zip(setting.readers, setting.filters):
        frames = mean_lag(chosen.kernel, chosen.radius)
        window = f"{chosen.kernel} of radius {chosen.radius}" if chosen.kernel != "none" else "no smoothing"
        yield (
            f"run {reader.name}: {window}, which lags behind by {1000 * frames / rate:.0f} ms "
            f"at {rate:.4g} frames a second"
        )


class _LiveSession:
    """Everything that has come so far. Rows of faces that have not lasted yet are not written, but in the end they
    are in the tables, if the face was one.
    """

    def __init__(self, wanted: PredictOptions, setting: PredictSession, rate: float) -> None:
        self.wanted, self.setting, self.rate = wanted, setting, rate
        self.face_stage, self.stream = setting.face_stage(), LiveSmoother(setting.filters, rate)
        self.size = (0, 0)
        self.came = array("d")
        """Of each frame its number, and its time and its latency in seconds, one after the other."""
        self.fresh: list[LiveRow] = []
        """Of the frames that are not written yet."""
        self.kept: list[RowArrays] = []
        self.written, self.wrote, self.told = 0, 0.0, 0.0

    def frames(self, start: int = 0) -> np.ndarray:
        """float64 [F, 3], those from the `start`th on: number, seconds, seconds of latency."""
        return np.array(self.came[3 * start :]).reshape(-1, 3)

    @property
    def seconds(self) -> float:
        times = self.frames()[:, 1]
        return times[-1] - times[0] + 1 / self.rate

    def latency(self, share: float) -> float:
        """Milliseconds."""
        return 1000 * float(np.percentile(self.frames()[:, 2], share))

    def run(self, source: RealtimeSource) -> None:
        for frame in source:
            seen = self.face_stage(frame)
            crops = [
                self.setting.forwards[number](seen.crops[margin]) if len(seen.ids) else []
                for number, margin in enumerate(self.setting.margin_indices)
            ]
            outputs = [own for forward in crops for own in forward]
            rows = self.stream(seen, outputs or [np.zeros((0, 0))] * len(self.setting.filters))
            now = time.monotonic()
            self.size = seen.size if not self.came else self.size
            self.came.extend((seen.number, seen.seconds, now - frame.arrived))
            self.fresh += rows
            if now - self.wrote >= WRITE_SECONDS:
                self.wrote = now
                self.append()
            if now - self.told >= STATUS_SECONDS:
                self.told = now
                self._print_status(source)

    def append(self, last: bool = False) -> None:
        """Write the rows that have come since the last time, whole lines only."""
        from harness.inference.tables import CSV

        if not self.came:
            if last:
                raise InputError(f"{self.wanted.input}: not one frame came")
            return
        frames = self.frames(self.written)
        rows = self.unwritten_rows()
        kept = append_rows(self.kept, rows)
        self.kept, self.fresh = kept, []  # at once: Ctrl-C comes before or after, and no row is lost or doubled
        path = self.wanted.out / CSV
        if self.written == 0:
            with replace_output_dir(self.wanted.out) as aside:
                (aside / CSV).write_text(self.lines(frames, rows), encoding="utf-8")
        elif len(frames):
            with open(path, "ab", buffering=0) as file:
                file.write(self.lines(frames, rows, header=False).encode())
        self.written += len(frames)

    def unwritten_rows(self) -> RowArrays:
        """Those that are not written yet."""
        return pack_rows(self.fresh, [reader.task.width for reader in self.setting.readers])

    def lines(self, frames: np.ndarray, rows: RowArrays, header: bool = True) -> str:
        """Of predictions.csv."""
        from harness.inference.tables import as_csv, table

        return as_csv(table(self._result(frames, rows)), header)

    def result(self) -> PredictionResult:
        """Of everything, without rows after a face was last seen."""
        rows = append_rows(self.kept, all_in_one=True)[0]
        return self._result(self.frames(), rows.take(rows.until_last_found()))

    def _print_status(self, source: RealtimeSource) -> None:
        if sys.stderr.isatty():
            _, times, latencies = self.frames(max(0, len(self.came) // 3 - STATUS_FRAMES)).T
            speed = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
            recent = np.percentile(latencies, (50, 95)) * 1000
            print(
                f"\r\033[K{speed:.1f} frames a second, {source.dropped:,} dropped, {recent[0]:.0f} ms from a frame "
                f"to its numbers (95 %: {recent[1]:.0f})",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def clear_status(self) -> None:
        """Take the line of status away."""
        if self.told and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _result(self, frames: np.ndarray, rows: RowArrays) -> PredictionResult:
        """Of some frames [F, 3] and their rows, with the faces that have a name."""
        named = self.face_stage.confirmed_tracks()
        names = np.zeros(max([int(rows.id.max(initial=0)), *named]) + 1, np.int32)
        names[list(named)] = list(named.values())
        rows = rows.take(names[rows.id] > 0)
        face = names[rows.id]
        order = np.lexsort((face, rows.frame))
        rows, face = rows.take(order), face[order]
        given = rows.found | (self.wanted.missing == "filled")
        outputs = tuple(
            Outputs(
                reader.name,
                reader.task,
                raw,
                np.where(given[:, None], smoothed, np.nan),
                chosen.kernel,
                chosen.radius,
                chosen.thresholds,
                reader.label,
            )
            for reader, chosen, raw, smoothed in zip(
                self.setting.readers, self.setting.filters, rows.raw, rows.smoothed
            )
        )
        return PredictionResult(
            self.wanted.input,
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
