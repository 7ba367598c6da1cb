"""What is done with a model's outputs before they are decided."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Filter:
    """What a run chose to do with outputs; thresholds: of the action units, None where 0.5 was kept."""

    kernel: str
    radius: int
    gaps: str
    thresholds: tuple[float, ...] | None = None
