"""Where the panel of each face lies: beside or below it, on no face and on no other panel, and at rest.

Places are chosen frame by frame with those of the frame before in mind: a panel stays on its side and as it is while
that is possible, and follows its face without trembling with its box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.predicting.panels import LEVELS, Columns, given, size_of
from harness.predicting.shown import Shown

AREA = 0.36
"""Share of the frame that all panels may take together."""
SIDES = (7.0, 4.5, 2.6)
"""Sides of a face's box in sizes of the font, from which on it has a panel of each level."""
APART = 0.8
"""Between a box and its panel, in sizes of the font."""
REST, PACE = 0.45, 0.3
"""A panel stays where it should move by less (in sizes of the font); else it goes so much of the way in each frame."""
PATIENCE = 25
"""Frames in which more detail was possible before there is more."""


class Area(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: Area) -> int:
        """Pixels that both cover."""
        return max(0, min(self.right, other.right) - max(self.left, other.left)) \
            * max(0, min(self.bottom, other.bottom) - max(self.top, other.top))


@dataclass(frozen=True)
class Place:
    """level: its number in `LEVELS`; choice: which of all the places of that level; waited: frames in which a richer
    level was possible."""

    level: int
    choice: int
    area: Area
    columns: Columns
    waited: int = 0


class Places:
    """The places of all faces of a video, given frame by frame."""

    def __init__(self, width: int, height: int, size: int) -> None:
        self.width, self.height, self.size = width, height, size
        self.last: dict[int, Place] = {}

    def of(self, faces: Sequence[Shown], boxes: Sequence[Area]) -> dict[int, Place]:
        """The place of each face that has a panel, by its id; larger faces choose first."""
        level = self._level(faces)
        taken, chosen = list(boxes), {}
        for i in sorted(range(len(faces)), key=lambda i: (-_side(boxes[i]), faces[i].face)):
            place = self._place(faces[i], boxes[i], level, taken)
            if place:
                chosen[faces[i].face] = place
                taken.append(place.area)
        self.last = chosen
        return chosen

    def _level(self, faces: Sequence[Shown]) -> int:
        """The richest level at which the panels of all faces together leave enough of the frame."""
        for level, arrangements in enumerate(LEVELS):
            total = 0
            for shown in faces:
                width, height = size_of(given(arrangements[0], shown), self.size)
                total += width * height
            if total <= AREA * self.width * self.height:
                return level
        return len(LEVELS)

    def _place(self, shown: Shown, box: Area, richest: int, taken: Sequence[Area]) -> Place | None:
        before = self.last.get(shown.face)
        free = next((place for place in self._candidates(shown, box, richest, before)
                     if not any(place.area.overlap(other) for other in taken)), None)
        if free is None or before is None:
            return free
        if free.level < before.level and before.waited < PATIENCE:
            kept = next((place for place in self._candidates(shown, box, before.level, before)
                         if not any(place.area.overlap(other) for other in taken)), None)
            if kept and kept.level == before.level:
                return Place(kept.level, kept.choice, self._calmed(kept, before, taken), kept.columns,
                             before.waited + 1)
        return Place(free.level, free.choice, self._calmed(free, before, taken), free.columns)

    def _candidates(self, shown: Shown, box: Area, richest: int, before: Place | None):
        """Places by level; within a level that of the frame before first."""
        for level in range(richest, len(LEVELS)):
            if _side(box) < SIDES[level] * self.size:
                continue
            found = [Place(level, 10 * i + j, area, columns)
                     for i, columns in enumerate(given(one, shown) for one in LEVELS[level])
                     for j, area in enumerate(self._areas(box, *size_of(columns, self.size))) if area]
            yield from sorted(found, key=lambda place: before is None or (place.level, place.choice)
                              != (before.level, before.choice))

    def _areas(self, box: Area, width: int, height: int) -> list[Area | None]:
        """Right of the box, left, below and above, moved along it into the frame; None where there is no room."""
        apart, edge = round(APART * self.size), round(0.4 * self.size)
        across = min(max(box.left, edge), self.width - edge - width)
        down = min(max(box.top, edge), self.height - edge - height)
        corners = ((box.right + apart, down), (box.left - apart - width, down),
                   (across, box.bottom + apart), (across, box.top - apart - height))
        return [Area(x, y, x + width, y + height)
                if x >= edge and y >= edge and x + width <= self.width - edge and y + height <= self.height - edge
                else None for x, y in corners]

    def _calmed(self, place: Place, before: Place, taken: Sequence[Area]) -> Area:
        """The area between that of the frame before and where it should be, unless something lies there."""
        if (place.level, place.choice) != (before.level, before.choice):
            return place.area
        wanted, old = place.area, before.area
        x, y = (start if abs(end - start) <= REST * self.size else round(start + PACE * (end - start))
                for start, end in zip(old[:2], wanted[:2]))
        area = Area(x, y, x + wanted.right - wanted.left, y + wanted.bottom - wanted.top)
        return wanted if any(area.overlap(other) for other in taken) else area


def _side(box: Area) -> int:
    return min(box.right - box.left, box.bottom - box.top)
