"""Notes under a board that name classes with few labels, and classes whose labels come from few videos or subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.leaderboard.row_types import LeaderboardRow
from harness.metrics.effective_units import FEW_UNITS
from harness.metrics.rare_classes import MIN_LABELS


def few_units_note(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Name the classes whose labels come from few units; these are the same for all rows of a board."""
    numbers = {name.removeprefix("F1/"): number for row in rows for name, number in row.few_units.items()}
    if not numbers:
        return []
    ordered = sorted((round(number, 1), name) for name, number in numbers.items())
    names = ", ".join(f"{name} {number}" for number, name in ordered)
    return [f"labels from fewer than {FEW_UNITS} effective {rows[0].unit}s: {names}"]


def rare_classes_note(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Name the classes with few labels; if rows are scored on different frames, the largest number is shown."""
    numbers: dict[str, int] = {}
    for row in rows:
        for name, number in row.rare_classes.items():
            numbers[name] = max(number, numbers.get(name, 0))
    return [f"fewer than {MIN_LABELS} labels: {format_rare_classes(numbers)}"] if numbers else []


def format_rare_classes(numbers: Mapping[str, int]) -> str:
    """Format the numbers of labels of classes, the rarest first: `Disgust 0, Fear 2`."""
    ordered = sorted((number, name.removeprefix("F1/")) for name, number in numbers.items())
    return ", ".join(f"{name} {number}" for number, name in ordered)
