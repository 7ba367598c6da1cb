"""Matplotlib helpers shared by all figures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def optional_figures(owner: str) -> Iterator[None]:
    """Log a warning instead of raising an error if figures cannot be drawn; results do not need them.

    Parameters
    ----------
    owner : str
        What the figures belong to, such as `job ab12-s0`.
    """
    try:
        yield
    except Exception as error:  # matplotlib fails in many ways, such as on a font or a cache that cannot be read
        reason = str(error).partition("\n")[0]
        logger.warning(f"the figures of {owner} could not be drawn: {type(error).__name__}: {reason}")
