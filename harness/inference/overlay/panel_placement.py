"""Where the panel of each face lies: beside or below it, on no face and on no other panel, and at rest.

Places are chosen frame by frame with those of the frame before in mind: a panel stays on its side and as it is while
that is possible, and follows its face without trembling with its box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.inference.overlay.frame_faces import FaceOverlay
from harness.inference.overlay.panels import LEVELS, Columns, known_columns, panel_size

MAX_AREA_SHARE = 0.36
"""Share of the frame that the panels of several faces may take together."""
MIN_FACE_SIDES = (7.0, 4.5, 2.6)
"""Sides of a face's box in sizes of the font, from which on it has a panel of each level."""
DISTANCE = 0.8
"""Between a box and its panel, in sizes of the font."""
HAIR_HEIGHT = 0.25
"""What is left free above a box, in heights of it."""
MIN_MOVE, MOVE_SHARE = 0.45, 0.3
"""A panel stays where it should move by less (in sizes of the font); else it goes so much of the way in each frame."""
UPGRADE_FRAMES = 25
"""Frames in which more detail is possible before there is more."""


class Area(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int

    @property
    def pixels(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: Area) -> int:
        """Pixels that both cover."""
        return max(0, min(self.right, other.right) - max(self.left, other.left)) * max(
            0, min(self.bottom, other.bottom) - max(self.top, other.top)
        )


@dataclass(frozen=True)
class Placement:
    """choice: which of all the places of its level it is."""

    level: int
    choice: int
    area: Area
    columns: Columns


class PanelLayout:
    """The places of all faces of a video, given frame by frame.

    width, height: of the frame in pixels; size: of the font; beside: where a strip begins that is kept for panels.
    """

    def __init__(self, width: int, height: int, size: int, beside: int = 0) -> None:
        self.width, self.height, self.size, self.beside = width, height, size, beside
        self.last: dict[int, Placement] = {}
        self.level, self.waited = 0, UPGRADE_FRAMES

    def place_panels(self, faces: Sequence[FaceOverlay], boxes: Sequence[Area]) -> dict[int, Placement]:
        """The place of each face that has a panel, by its id.

        All have the level that fits for all, but for faces that are small or of which nothing is known. It gets
        poorer at once, and richer again after some frames.
        """
        able = [
            i
            for i, shown in enumerate(faces)
            if shown.known and _shorter_side(boxes[i]) >= MIN_FACE_SIDES[-1] * self.size
        ]
        able.sort(key=lambda i: (-_shorter_side(boxes[i]), faces[i].face))
        tried = {level: self._place_at_level(level, able, faces, boxes) for level in range(len(LEVELS))}
        level = next((level for level, found in tried.items() if found is not None), len(LEVELS))
        self.waited = self.waited + 1 if level < self.level else 0
        if level < self.level and self.waited <= UPGRADE_FRAMES and tried.get(self.level, {}) is not None:
            level = self.level
        self.level, self.last = level, tried.get(level) or {}
        return self.last

    def fits_all_details(self, box: Area) -> bool:
        """Whether a face of that size has all its details where there is room."""
        return _shorter_side(box) >= MIN_FACE_SIDES[0] * self.size

    def _place_at_level(
        self, level: int, able: Sequence[int], faces: Sequence[FaceOverlay], boxes: Sequence[Area]
    ) -> dict[int, Placement] | None:
        """Each face at that level, or at a poorer one for its size; None where not all find room."""
        taken, chosen = list(boxes), {}
        for i in able:
            own = next(
                one for one in range(level, len(LEVELS)) if _shorter_side(boxes[i]) >= MIN_FACE_SIDES[one] * self.size
            )
            before = self.last.get(faces[i].face)
            place = next(
                (
                    place
                    for place in self._candidates(faces[i], boxes[i], own, before)
                    if not any(place.area.overlap(other) for other in taken)
                ),
                None,
            )
            if place is None:
                return None
            chosen[faces[i].face] = replace(place, area=self._damped_area(place, before, taken))
            taken.append(chosen[faces[i].face].area)
        covered = sum(place.area.pixels for place in chosen.values())
        return chosen if len(chosen) < 2 or covered <= MAX_AREA_SHARE * self.width * self.height else None

    def _candidates(self, shown: FaceOverlay, box: Area, level: int, before: Placement | None) -> list[Placement]:
        """Places of that level, the one of the frame before first."""
        found = [
            Placement(level, 10 * i + j, area, columns)
            for i, columns in enumerate(known_columns(one, shown) for one in LEVELS[level])
            for j, area in enumerate(self._areas(box, *panel_size(columns, self.size)))
            if area
        ]
        return sorted(
            found, key=lambda place: before is None or (place.level, place.choice) != (before.level, before.choice)
        )

    def _areas(self, box: Area, width: int, height: int) -> list[Area | None]:
        """Right of the box, left, below and above, moved along it into the frame; None where there is no room."""
        apart, edge = round(DISTANCE * self.size), round(0.4 * self.size)
        across = min(max(box.left, edge), self.width - edge - width)
        down = min(max(box.top, edge), self.height - edge - height)
        corners = (
            (max(box.right, self.beside) + apart, down),
            (box.left - apart - width, down),
            (across, box.bottom + apart),
            (across, box.top - round(HAIR_HEIGHT * (box.bottom - box.top)) - height),
        )
        return [
            Area(x, y, x + width, y + height)
            if x >= edge and y >= edge and x + width <= self.width - edge and y + height <= self.height - edge
            else None
            for x, y in corners
        ]

    def _damped_area(self, place: Placement, before: Placement | None, taken: Sequence[Area]) -> Area:
        """The area between that of the frame before and where it should be, unless something lies there."""
        if before is None or (place.level, place.choice) != (before.level, before.choice):
            return place.area
        wanted, old = place.area, before.area
        x, y = (
            start if abs(end - start) <= MIN_MOVE * self.size else round(start + MOVE_SHARE * (end - start))
            for start, end in zip(old[:2], wanted[:2])
        )
        area = Area(x, y, x + wanted.right - wanted.left, y + wanted.bottom - wanted.top)
        return wanted if any(area.overlap(other) for other in taken) else area


def _shorter_side(box: Area) -> int:
    return min(box.right - box.left, box.bottom - box.top)
