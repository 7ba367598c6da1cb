"""Silence loggers temporarily without affecting other loggers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

ROOT = "root"
_lock = threading.Lock()
_levels: dict[str, int] = {}
"""Level of each silenced logger before the first context silenced it."""
_contexts: dict[str, int] = {}
"""Number of contexts that silence a logger."""


@contextmanager
def quiet_loggers(names: Sequence[str], level: int = logging.CRITICAL) -> Iterator[None]:
    """Drop messages of some loggers and of their children that have no level set.

    Contexts may overlap, in one thread or in several: the levels are restored when the last one ends.

    Parameters
    ----------
    names : sequence of str
        Names of loggers. For `root`, only messages of the root logger itself are dropped.
    level : int, default=logging.CRITICAL
        Highest level that is dropped.
    """
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(_quiet_root(level) if name == ROOT else _quiet_logger(name, level))
        yield


@contextmanager
def _quiet_logger(name: str, level: int) -> Iterator[None]:
    logger = logging.getLogger(name)
    with _lock:
        _contexts[name] = _contexts.get(name, 0) + 1
        _levels.setdefault(name, logger.level)
        logger.setLevel(max(logger.level, level + 1))
    try:
        yield
    finally:
        with _lock:
            _contexts[name] -= 1
            if not _contexts[name]:
                del _contexts[name]
                logger.setLevel(_levels.pop(name))


@contextmanager
def _quiet_root(level: int) -> Iterator[None]:
    def is_above(record: logging.LogRecord) -> bool:
        return record.levelno > level

    root = logging.getLogger()
    root.addFilter(is_above)  # a filter, unlike a level, has no effect on other loggers
    try:
        yield
    finally:
        root.removeFilter(is_above)
