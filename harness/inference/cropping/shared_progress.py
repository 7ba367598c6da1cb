"""Progress of videos that several processes crop, in a small file that all of them map into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from harness.utils.errors import FramelightError
from harness.utils.progress import Progress

MEGABYTE = 1e6
UNFINISHED = 0.99
"""Largest share of a video whose crops are not complete."""


class StoppedError(FramelightError):
    """Error that ends the work of a process after the command was interrupted."""


@dataclass
class VideoProgress:
    """Progress of one video, counted in frames; it can be sent to another process.

    Parameters
    ----------
    path : str
        The shared file.
    videos : int
        Number of videos.
    index : int
        Index of the video.
    """

    path: str
    videos: int
    index: int
    _shares: np.memmap | None = field(default=None, init=False, repr=False)

    def __call__(self, done: int, expected: int | None) -> None:
        """Set the share of the video that is done, less than 1; raise StoppedError if the command was interrupted.

        The share is 0 if the expected number of frames is unknown, and remains the same once it is exceeded.
        """
        self._set(min(done / expected, UNFINISHED) if expected else 0.0)

    def finish(self) -> None:
        """Set the share to 1."""
        self._set(1.0)

    def _set(self, share: float) -> None:
        if self._shares is None:
            self._shares = np.memmap(self.path, np.float64, "r+", shape=(self.videos + 1,))
        if self._shares[-1]:
            raise StoppedError("interrupted")
        self._shares[self.index] = share


class SharedProgress:
    """Progress of several videos, weighted by their size; a context that removes the shared file.

    Parameters
    ----------
    sizes : sequence of int
        Sizes of the videos in bytes.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = np.array(sizes, np.float64) / MEGABYTE
        self._total = max(round(float(self._sizes.sum())), 1)
        self._stack = ExitStack()

    def __enter__(self) -> SharedProgress:
        self._file = self._stack.enter_context(tempfile.NamedTemporaryFile(prefix="framelight-progress-"))
        self._file.write(bytes(8 * (len(self._sizes) + 1)))
        self._file.flush()
        self._shares = np.memmap(self._file.name, np.float64, "r+", shape=(len(self._sizes) + 1,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def counter(self, index: int) -> VideoProgress:
        """Return the counter of a video."""
        return VideoProgress(self._file.name, len(self._sizes), index)

    def stop(self) -> None:
        """End the work of all processes at their next frame."""
        self._shares[-1] = 1

    def show(self, progress: Progress) -> None:
        """Update a progress bar."""
        shares = self._shares[:-1]
        finished = int((shares >= 1).sum())
        progress(int(shares @ self._sizes), self._total)
        progress.set_postfix(f"{finished} of {len(self._sizes)} videos")
