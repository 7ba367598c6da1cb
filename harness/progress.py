"""A progress bar on stderr, silent where nobody looks."""

from __future__ import annotations

import sys
from types import TracebackType


class Progress:
    """A callable for `progress=` arguments, used as a context: called with what is done and the total.

    Further arguments (rate, seconds left) are accepted and left to the bar, which works them out itself.
    """

    def __init__(self, title: str, unit: str = "it") -> None:
        self.title, self.unit = title, unit
        self._bar = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, *_: float) -> None:
        if self._bar is None:
            if not sys.stderr.isatty():
                return
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=self.title, unit=f" {self.unit}", file=sys.stderr, leave=False,
                             dynamic_ncols=True, mininterval=0.2)
        self._bar.update(done - self._bar.n)

    def beside(self, text: str) -> None:
        """What else the bar says, behind its own figures."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
