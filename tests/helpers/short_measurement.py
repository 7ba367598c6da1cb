"""Exports that measure the cost of a crop with few calls; tests/export/test_latency.py has the full measurement."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.export import latency


@contextmanager
def short_measurement() -> Iterator[None]:
    """Time the fewest calls, without warm-up and in this process, where Framelight has been imported already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "WARM_SECONDS", 0.0)
        patch.setattr(latency, "MOST_CALLS", latency.FEWEST_CALLS)
        patch.setattr(latency, "_measure_in_process", latency.main)
        yield
