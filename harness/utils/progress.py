"""A progress bar in terminals and notebooks; silent where output goes to a file."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self


class Progress:
    """A callable for `progress=` arguments, used as a context: called with what is done and the total.

    Further arguments (rate, seconds left) are accepted and left to the bar, which works them out itself.
    """

    def __init__(self, title: str, unit: str = "it") -> None:
        self.title, self.unit = title, unit
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, *_: float) -> None:
        if self._bar is None:
            notebook = "ipykernel" in sys.modules
            if not (notebook or sys.stderr.isatty()):
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
        """What else the bar says, behind its own figures."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)


class VideoProgress(Progress):
    """Called with the frames that were read now. expected: of all, None where nobody knows; rate: the video's own
    frames a second, None for pictures; before: frames that were read by an earlier run.
    """

    def __init__(self, expected: int | None, rate: float | None, before: int = 0) -> None:
        super().__init__("frames", "frame")
        self.expected, self.rate, self.before = expected, rate, before

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        return self

    def __call__(self, done: int) -> None:
        super().__call__(self.before + done, max(self.expected or 0, self.before + done))
        if self.rate and done % 10 == 0:
            speed = done / max(time.perf_counter() - self.began, 1e-9)
            self.set_postfix(f"{speed / self.rate:.1f} x the video's own {self.rate:g}")
