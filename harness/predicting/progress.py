"""The progress of reading a video: frames a second beside the video's own."""

from __future__ import annotations

import time
from typing import Self

from harness.progress import Progress


class FilmProgress(Progress):
    """Called with the frames that were read now. expected: of all, None where nobody knows; rate: the video's own
    frames a second, None for pictures; before: frames that were read by an earlier run."""

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
            self.beside(f"{speed / self.rate:.1f} x the video's own {self.rate:g}")
