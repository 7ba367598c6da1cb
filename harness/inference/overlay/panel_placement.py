"""Place the panel of each face next to it, without covering faces or other panels.

Positions depend on the previous frames: a panel stays on the same side of its face as long as possible, follows it
without jitter, and shows more detail only after some frames in which there is room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.inference.overlay.frame_faces import FaceOverlay
from harness.inference.overlay.panels import LEVELS, Columns, known_columns, panel_size

MAX_AREA_SHARE = 0.36
"""Largest share of the frame that the panels of several faces may cover together."""
MIN_FACE_SIDES = (7.0, 4.5, 2.6)
"""For each level of detail: minimum length of the shorter side of the face's box, relative to the font size."""
DISTANCE = 0.8
"""Distance between a box and its panel, relative to the font size."""
HAIR_HEIGHT = 0.25
"""Height of the space that a panel above a box leaves free for the hair, relative to the height of the box."""
MIN_MOVE, MOVE_SHARE = 0.45, 0.3
"""A panel ignores moves of its face up to MIN_MOVE times the font size. If the move is larger, the panel covers
MOVE_SHARE of the remaining distance in each frame."""
UPGRADE_FRAMES = 25
"""Number of consecutive frames in which more detail must fit before it is displayed."""


class Area(NamedTuple):
    """Rectangle in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: Area) -> int:
        """Count the pixels that both rectangles cover."""
        return max(0, min(self.right, other.right) - max(self.left, other.left)) * max(
            0, min(self.bottom, other.bottom) - max(self.top, other.top)
        )


@dataclass(frozen=True)
class Placement:
    """Position of a panel.

    Attributes
    ----------
    level : int
        Level of detail, 0 is the highest.
    choice : int
        Number that identifies, within the level, the arrangement of the panel and the side of the face that it is on.
    area : Area
    columns : Columns
        Content of the panel.
    """

    level: int
    choice: int
    area: Area
    columns: Columns


class PanelLayout:
    """Positions of all panels of a video, computed frame by frame.

    Parameters
    ----------
    width, height : int
        Size of the frame in pixels.
    size : int
        Font size.
    beside : int
        Left edge of a strip that is reserved for panels; 0 if there is no strip.
    """

    def __init__(self, width: int, height: int, size: int, beside: int = 0) -> None:
        self.width, self.height, self.size, self.beside = width, height, size, beside
        self.last: dict[int, Placement] = {}
        self.level, self.waited = 0, UPGRADE_FRAMES

    def place_panels(self, faces: Sequence[FaceOverlay], boxes: Sequence[Area]) -> dict[int, Placement]:
        """Place the panels of one frame.

        All panels share the highest level of detail at which they fit together, except that the panel of a small face
        may show less. Detail is reduced at once, but increased only after more detail has fit for UPGRADE_FRAMES
        frames.

        Parameters
        ----------
        faces : sequence of FaceOverlay
        boxes : sequence of Area
            Boxes of the faces.

        Returns
        -------
        dict of int to Placement
            Placement by face number; faces that are too small or have no outputs have no panel. Empty if the panels do
            not fit at any level.
        """
        eligible = [
            i
            for i, shown in enumerate(faces)
            if shown.known and _shorter_side(boxes[i]) >= MIN_FACE_SIDES[-1] * self.size
        ]
        eligible.sort(key=lambda i: (-_shorter_side(boxes[i]), faces[i].face))
        by_level = {level: self._place_at_level(level, eligible, faces, boxes) for level in range(len(LEVELS))}
        level = next((level for level, placements in by_level.items() if placements is not None), len(LEVELS))
        self.waited = self.waited + 1 if level < self.level else 0
        if level < self.level and self.waited <= UPGRADE_FRAMES and by_level.get(self.level, {}) is not None:
            level = self.level
        self.level, self.last = level, by_level.get(level) or {}
        return self.last

    def fits_all_details(self, box: Area) -> bool:
        """Return whether a face is large enough for a panel with all details."""
        return _shorter_side(box) >= MIN_FACE_SIDES[0] * self.size

    def _place_at_level(
        self, level: int, eligible: Sequence[int], faces: Sequence[FaceOverlay], boxes: Sequence[Area]
    ) -> dict[int, Placement] | None:
        """Place the panel of each face at a level, or lower if the face is small; return None if not all panels fit."""
        taken, placements = list(boxes), {}
        for i in eligible:
            face_level = next(
                number
                for number in range(level, len(LEVELS))
                if _shorter_side(boxes[i]) >= MIN_FACE_SIDES[number] * self.size
            )
            before = self.last.get(faces[i].face)
            placement = next(
                (
                    candidate
                    for candidate in self._candidates(faces[i], boxes[i], face_level, before)
                    if not any(candidate.area.overlap(other) for other in taken)
                ),
                None,
            )
            if placement is None:
                return None
            placements[faces[i].face] = replace(placement, area=self._damped_area(placement, before, taken))
            taken.append(placements[faces[i].face].area)
        covered = sum(placement.area.pixels for placement in placements.values())
        return placements if len(placements) < 2 or covered <= MAX_AREA_SHARE * self.width * self.height else None

    def _candidates(self, shown: FaceOverlay, box: Area, level: int, before: Placement | None) -> list[Placement]:
        """List the possible placements at a level, the choice of the previous frame first."""
        placements = [
            Placement(level, 10 * i + j, area, columns)
            for i, columns in enumerate(known_columns(arrangement, shown) for arrangement in LEVELS[level])
            for j, area in enumerate(self._areas(box, *panel_size(columns, self.size)))
            if area
        ]
        return sorted(
            placements,
            key=lambda candidate: (
                before is None or (candidate.level, candidate.choice) != (before.level, before.choice)
            ),
        )

    def _areas(self, box: Area, width: int, height: int) -> list[Area | None]:
        """List areas right of, left of, below and above a box, moved into the frame; None where there is no room."""
        distance, edge = round(DISTANCE * self.size), round(0.4 * self.size)
        x_inside = min(max(box.left, edge), self.width - edge - width)
        y_inside = min(max(box.top, edge), self.height - edge - height)
        corners = (
            (max(box.right, self.beside) + distance, y_inside),
            (box.left - distance - width, y_inside),
            (x_inside, box.bottom + distance),
            (x_inside, box.top - round(HAIR_HEIGHT * (box.bottom - box.top)) - height),
        )
        return [
            Area(x, y, x + width, y + height)
            if x >= edge and y >= edge and x + width <= self.width - edge and y + height <= self.height - edge
            else None
            for x, y in corners
        ]

    def _damped_area(self, placement: Placement, before: Placement | None, taken: Sequence[Area]) -> Area:
        """Move a panel part of the way to its new area.

        It moves all the way if its arrangement or side changes, or if it would otherwise overlap something.
        """
        if before is None or (placement.level, placement.choice) != (before.level, before.choice):
            return placement.area
        target, old = placement.area, before.area
        x, y = (
            start if abs(end - start) <= MIN_MOVE * self.size else round(start + MOVE_SHARE * (end - start))
            for start, end in zip(old[:2], target[:2])
        )
        area = Area(x, y, x + target.right - target.left, y + target.bottom - target.top)
        return target if any(area.overlap(other) for other in taken) else area


def _shorter_side(box: Area) -> int:
    return min(box.right - box.left, box.bottom - box.top)
