"""Capture log messages as commands print them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from harness.utils.console import LOGGERS, ConsoleHandler


class ListHandler(ConsoleHandler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@contextmanager
def captured_logs() -> Iterator[list[str]]:
    """Messages logged while the context lasts, warnings with `warning: ` before them."""
    messages: list[str] = []
    handler, loggers = ListHandler(messages), [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        for logger, level in zip(loggers, levels):
            logger.removeHandler(handler)
            logger.setLevel(level)
