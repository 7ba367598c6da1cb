"""numpy's matrix products on one thread.

Products of a few hundred rows are over before threads have found each other; where other work wants the cores they then
wait for each other tens of times longer than they compute.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

import numpy  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager:
    """A context in which this process multiplies on one thread; it holds for all its threads."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
