"""`framelight predict` of a camera, or of a video as if from one: nothing waits, no later frame is known."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import InputError
from harness.placing import placing
from harness.predicting.looking import SIDE
from harness.predicting.predict import USUAL_RATE, Say, Setting, Wanted, begin, opened, write
from harness.predicting.reading import Outputs, Reading
from harness.predicting.streaming import Row, Stream
from harness.smoothing import delay

if TYPE_CHECKING:
    from harness.media.pacing import Paced
    from harness.predicting.looking import Seen

EVERY = 0.1
"""Seconds between two writings of rows."""
TOLD = 0.5
"""Seconds between two lines of status."""
LATEST = 250
"""Frames whose latency the status is of."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What was read. seconds: from the first frame to the last; frames: read; dropped: that came while another was
    read; median, p95: milliseconds from a frame's arrival to its numbers; delays: of the filters, in words."""

    reading: Reading
    files: tuple[Path, ...]
    seconds: float
    frames: int
    dropped: int
    median: float
    p95: float
    delays: tuple[str, ...]
    notes: tuple[str, ...]


def watch(wanted: Wanted, say: Say) -> Watched:
    """Read until the input ends, `wanted.seconds` are over or Ctrl-C comes; then tables and picture are made whole.

    Rows are added to predictions.csv as they come. InputError for an input, run or setting that cannot be.
    """
    from harness.media.opening import open_source
    from harness.media.pacing import Paced

    begin(wanted, live=True)
    if wanted.render and wanted.input.startswith("camera:"):
        raise InputError("--render reads the video once more, and a camera keeps none; leave it out, or record a video "
                         "and name that")
    with ExitStack() as context:
        source = context.enter_context(Paced(open_source(wanted.input, wanted.crops, wanted.seconds)))
        setting = opened(wanted, source, say, live=True)
        _warm_up(setting)
        rate = source.rate or USUAL_RATE
        delays = tuple(_delay(setting, rate))
        for line in delays:
            say(line)
        session = _Session(wanted, setting, rate)
        try:
            session.run(source)
        except KeyboardInterrupt:
            say("stopped; the tables are completed")
        finally:
            session.quiet()
        session.append(last=True)
    reading = session.reading()
    files = write(wanted, reading, setting, wanted.out)
    return Watched(reading, files, session.seconds, len(session.seen), source.dropped, session.latency(50),
                   session.latency(95), delays, tuple(source.notes))


def _warm_up(setting: Setting) -> None:
    """The first call of a network or a detector takes many times as long as the others."""
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    for forward in setting.forwards:
        forward([blank])
    if setting.detector is not None:
        setting.detector(blank)


def _delay(setting: Setting, rate: float) -> Iterator[str]:
    for reader, chosen in zip(setting.readers, setting.filters):
        frames = delay(chosen.kernel, chosen.radius)
        window = f"{chosen.kernel} of radius {chosen.radius}" if chosen.kernel != "none" else "no smoothing"
        yield (f"run {reader.name}: {window}, which lags behind by {1000 * frames / rate:.0f} ms "
               f"at {rate:.4g} frames a second")


class _Session:
    """Everything that has come so far. Rows of faces that have not lasted yet are not written, but in the end they
    are in the tables, if the face was one."""

    def __init__(self, wanted: Wanted, setting: Setting, rate: float) -> None:
        self.wanted, self.setting, self.rate = wanted, setting, rate
        self.looker, self.stream = setting.looker(), Stream(setting.filters, rate)
        self.seen: list[Seen] = []
        self.rows: list[list[Row]] = []
        self.latencies: list[float] = []
        self.written, self.wrote, self.told = 0, 0.0, 0.0

    @property
    def seconds(self) -> float:
        times = [self.seen[place].seconds for place in (0, -1)] if self.seen else [0.0, 0.0]
        return times[1] - times[0] + 1 / self.rate

    def latency(self, share: float) -> float:
        """Milliseconds."""
        return 1000 * float(np.percentile(self.latencies, share)) if self.latencies else float("nan")

    def run(self, source: Paced) -> None:
        for frame in source:
            seen = self.looker(frame)
            crops = [self.setting.forwards[number](seen.crops[margin]) if len(seen.ids) else []
                     for number, margin in enumerate(self.setting.given)]
            outputs = [own for forward in crops for own in forward]
            rows = self.stream(seen, outputs or [np.zeros((0, 0))] * len(self.setting.filters))
            now = time.monotonic()
            self.seen.append(seen.light())
            self.rows.append(rows)
            self.latencies.append(now - frame.arrived)
            if now - self.wrote >= EVERY:
                self.wrote = now
                self.append()
            if now - self.told >= TOLD:
                self.told = now
                self._tell(source)

    def append(self, last: bool = False) -> None:
        """Write the rows that have come since the last time, whole lines only."""
        from harness.predicting.tables import CSV, as_csv, table

        if not self.seen:
            if last:
                raise InputError(f"{self.wanted.input}: not one frame came")
            return
        named = self.looker.lasting()
        fresh = _reading(self, slice(self.written, len(self.seen)), named)
        path = self.wanted.out / CSV
        if self.written == 0:
            with placing(self.wanted.out) as aside:
                (aside / CSV).write_text(as_csv(table(fresh)), encoding="utf-8")
        elif len(fresh.frames):
            with open(path, "ab", buffering=0) as file:
                file.write(as_csv(table(fresh), header=False).encode())
        self.written = len(self.seen)

    def reading(self) -> Reading:
        return _reading(self, slice(0, len(self.seen)), self.looker.lasting(), trimmed=True)

    def _tell(self, source: Paced) -> None:
        if sys.stderr.isatty():
            times = [seen.seconds for seen in self.seen[-LATEST:]]
            speed = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
            recent = np.percentile(self.latencies[-LATEST:], (50, 95)) * 1000
            print(f"\r\033[K{speed:.1f} frames a second, {source.dropped:,} dropped, {recent[0]:.0f} ms from a frame "
                  f"to its numbers (95 %: {recent[1]:.0f})", end="", file=sys.stderr, flush=True)

    def quiet(self) -> None:
        """Take the line of status away."""
        if self.told and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _reading(session: _Session, frames: slice, named: Mapping[int, int], trimmed: bool = False) -> Reading:
    """Of some frames, with the faces that have a name. trimmed: without rows after a face was last seen."""
    seen, setting = session.seen[frames], session.setting
    rows = [row for own in session.rows[frames] for row in own if row.id in named]
    if trimmed:
        last = {row.id: row.frame for row in rows if row.found}
        rows = [row for row in rows if row.frame <= last.get(row.id, 0)]
    rows.sort(key=lambda row: (row.frame, named[row.id]))
    outputs = []
    for place, (reader, chosen) in enumerate(zip(setting.readers, setting.filters)):
        raw = np.full((len(rows), reader.task.width), np.nan, np.float32)
        smoothed = np.full((len(rows), reader.task.width), np.nan)
        for i, row in enumerate(rows):
            if row.raw is not None:
                raw[i] = row.raw[place]
            if row.found or session.wanted.missing == "filled":
                smoothed[i] = row.smoothed[place]
        outputs.append(Outputs(reader.name, reader.task, raw, smoothed, chosen.kernel, chosen.radius,
                               chosen.thresholds, reader.label))
    boxes = np.array([row.box for row in rows], np.float32).reshape(-1, 4)
    return Reading(session.wanted.input, session.rate, session.seen[0].size,
                   np.array([one.number for one in seen], np.int32), np.array([one.seconds for one in seen], float),
                   np.array([row.frame for row in rows], np.int32),
                   np.array([named[row.id] for row in rows], np.int32), np.array([row.found for row in rows], bool),
                   boxes, np.array([row.score for row in rows], np.float32), tuple(outputs))
