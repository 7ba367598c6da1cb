"""What commands tell on stderr while they work."""

from __future__ import annotations

import os
import sys


def say(message: str) -> None:
    """A line on stderr; nobody reading it is no reason to stop the work."""
    try:
        print(message, file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
