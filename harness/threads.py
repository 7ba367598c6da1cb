"""On how many threads libraries compute.

numpy's products of a few hundred rows are over before threads have found each other; where other work wants the cores
they then wait for each other tens of times longer than they compute.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager:
    """A context in which this process multiplies on one thread; it holds for all its threads."""
    return _controller().limit(limits=1, user_api="blas")


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """A context in which torch computes on so many threads, whoever calls it from this thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
