"""Progress bars for terminals and notebooks; none are shown if standard error goes elsewhere, such as to a file."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self


class Progress:
    """Progress bar, shown from its first update on.

    It is a context manager, and a callable for parameters named `progress`.

    Parameters
    ----------
    title : str
        Shown before the bar.
    unit : str, default="it"
        Unit of the progress.
    """

    def __init__(self, title: str, unit: str = "it") -> None:
        self.title, self.unit = title, unit
        self._bar: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether the bar is visible."""
        return self._bar is not None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int | None, *_: float) -> None:
        """Update the bar.

        Parameters
        ----------
        done : int
            Number of finished units.
        total : int or None
            Number of all units; None if unknown.
        *_ : float
            Ignored: the bar computes rate and remaining time itself.
        """
        if self._bar is None:
            notebook = "ipykernel" in sys.modules
            if not notebook and (sys.stderr is None or not sys.stderr.isatty()):
                return
            tqdm = import_module("tqdm.auto" if notebook else "tqdm").tqdm
            self._bar = tqdm(
                total=total,
                desc=self.title,
                unit=f" {self.unit}",
                file=sys.stderr,
                leave=False,
                dynamic_ncols=True,
                mininterval=0.2,
            )
        self._bar.update(done - self._bar.n)

    def set_postfix(self, text: str) -> None:
        """Show a text after the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)


class VideoProgress(Progress):
    """Progress bar for the frames of a video, with the speed relative to real time.

    Parameters
    ----------
    expected : int or None
        Expected number of frames; None if unknown.
    rate : float or None
        Frames per second of the video; None for images.
    before : int, default=0
        Number of frames that were read by an earlier, interrupted run.
    """

    def __init__(self, expected: int | None, rate: float | None, before: int = 0) -> None:
        super().__init__("frames", "frame")
        self.expected, self.rate, self.before = expected, rate, before

    def __enter__(self) -> Self:
        self.start = time.perf_counter()
        return self

    def __call__(self, done: int, total: int | None = None, *_: float) -> None:
        """Update the bar.

        Parameters
        ----------
        done : int
            Number of frames read in this run.
        total : int, optional
            Ignored: the expected number of frames is shown.
        *_ : float
            Ignored.
        """
        super().__call__(self.before + done, self.expected)
        if self.rate and done % 10 == 0:
            speed = done / max(time.perf_counter() - self.start, 1e-9)
            self.set_postfix(f"{speed / self.rate:.1f}x real time ({self.rate:g} frames/s)")
