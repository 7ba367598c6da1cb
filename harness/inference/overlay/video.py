"""Frames with what was read of their faces drawn on them, and the annotated video."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harness.inference.overlay.canvas import draw_text, outline, readable_on, rounded_rectangle, text_mask
from harness.inference.overlay.frame_faces import FaceOverlay, FacesByFrame
from harness.inference.overlay.panel_placement import Area, PanelLayout
from harness.inference.overlay.panels import GROUND, caption, face_color, paint_panel
from harness.inference.result import PredictionResult

if TYPE_CHECKING:
    from harness.video.frames import Frame, Source


MIN_SIDE, MAX_SIDE = 320, 1920
"""Frames whose shorter side has fewer pixels are enlarged by a whole number, so that words on them can be read, while
their longer side has no more than so many."""
FONT_SIZE, FONT_SIDE, FONT_GROWTH = 12, 360, 0.85
"""Size of the font at that shorter side; with the side it grows by this power."""
STRIP_WIDTH = 14
"""Width of the strip that is added beside a face that leaves no room for its panel, in sizes of the font."""


def draw_faces(pixels: np.ndarray, faces: Sequence[FaceOverlay], places: PanelLayout) -> np.ndarray:
    """A copy of the frame, uint8 [H, W, 3], with a box, an id and a panel for each face.

    The box is dashed where the face was not seen in this very frame. A face without room for a panel has its
    expression beside its id. places: of the frames before, which this one is added to.
    """
    drawn = np.array(pixels, copy=True)
    size = places.size
    boxes = [_clip_box(shown.box, places.beside or places.width, places.height) for shown in faces]
    chosen = places.place_panels(faces, boxes)
    thick = max(2, round(size / 6))
    for shown, box in zip(faces, boxes):
        dash = 0 if shown.found else round(0.6 * size)
        outline(drawn, (box.left - 1, box.top - 1, box.right + 1, box.bottom + 1), thick + 2, GROUND, dash)
        outline(drawn, box, thick, face_color(shown.face), dash)
    taken = [place.area for place in chosen.values()]
    for shown, box in zip(faces, boxes):
        if shown.face in chosen:
            place = chosen[shown.face]
            paint_panel(drawn, place.columns, shown, place.area.left, place.area.top, size)
        taken.append(_draw_label(drawn, shown, box, size, shown.face not in chosen, [*taken, *boxes]))
    return drawn


class Renderer:
    """The frames of a reading with what was read on them, in a size of the video's own; given in their order."""

    def __init__(self, reading: PredictionResult) -> None:
        width, height = reading.size
        self.faces = FacesByFrame(reading)
        self.enlarged = max(1, min(math.ceil(MIN_SIDE / min(width, height)), MAX_SIDE // max(width, height)))
        self.picture = self.enlarged * width, self.enlarged * height
        self.font = max(11, round(FONT_SIZE * (min(self.picture) / FONT_SIDE) ** FONT_GROWTH))
        strip = round(STRIP_WIDTH * self.font) if self._needs_strip() else 0
        self.size = self.picture[0] + strip, self.picture[1]
        """Width and height of what is drawn, in pixels."""
        self.places = PanelLayout(*self.size, self.font, self.picture[0] if strip else 0)

    def _needs_strip(self) -> bool:
        """Whether there is one face, large and so placed that nothing next to it has room for all that is shown."""
        reading = self.faces.reading
        rows = np.flatnonzero(reading.found)
        if not len(rows) or np.median(np.unique(reading.frame, return_counts=True)[1]) > 1:
            return False
        usual = _clip_box(tuple(self.enlarged * np.median(reading.boxes[rows], axis=0)), *self.picture)
        shown = self.faces[int(reading.frame[rows[len(rows) // 2]])][:1]
        places = PanelLayout(*self.picture, self.font)
        return (
            all(one.known for one in shown)
            and places.fits_all_details(usual)
            and (not places.place_panels(shown, [usual]) or places.level > 0)
        )

    def __call__(self, frame: Frame) -> np.ndarray:
        """uint8 [H, W, 3] of `size`; a frame of another size than the first is fitted in, with black beside it."""
        pixels, scale, left, top = self._fit(frame.pixels)
        moved = [
            replace(one, box=(x * scale + left, y * scale + top, width * scale, height * scale))
            for one in self.faces[frame.number]
            for x, y, width, height in (one.box,)
        ]
        return draw_faces(pixels, moved, self.places)

    def _fit(self, pixels: np.ndarray) -> tuple[np.ndarray, float, int, int]:
        """The frame in the size of the video, its scale, and its left and top there."""
        height, width = pixels.shape[:2]
        scale = min(self.picture[0] / width, self.picture[1] / height)
        if (width, height) == self.size:
            return pixels, 1.0, 0, 0
        inner = round(width * scale), round(height * scale)
        left, top = (self.picture[0] - inner[0]) // 2, (self.picture[1] - inner[1]) // 2
        whole = np.zeros((self.size[1], self.size[0], 3), dtype=np.uint8)
        resized = np.asarray(Image.fromarray(pixels).resize(inner, Image.Resampling.BILINEAR))
        whole[top : top + inner[1], left : left + inner[0]] = resized
        return whole, scale, left, top


def render_video(frames: Iterable[Frame], reading: PredictionResult, path: Path, rate: float | None) -> int:
    """Write the frames with what was read on them as an h264 video, whole or not at all; how many there are.

    frames: as they were read, in their order; rate: frames a second, for those that have no time of their own; None
    for the usual 25.
    """
    from harness.video.writer import VideoWriter

    renderer, count = Renderer(reading), 0
    with VideoWriter(path, rate, renderer.size) as video:
        for frame in frames:
            video.write(renderer(frame), frame.seconds)
            count += 1
    return count


def _clip_box(box: tuple[float, float, float, float], width: int, height: int) -> Area:
    """The part of a box that lies in a picture of that size."""
    x, y, across, down = box
    return Area(max(0, round(x)), max(0, round(y)), min(width, round(x + across)), min(height, round(y + down)))


def _draw_label(
    drawn: np.ndarray, shown: FaceOverlay, box: Area, size: int, words: bool, taken: Sequence[Area]
) -> Area:
    """The id of a face at its box, with `words` what is said of it if there is room; where it lies."""
    colour = face_color(shown.face)
    number, text = str(shown.face), caption(shown) if words else ""
    inset = round(0.35 * size)
    first = text_mask(number, size, True).shape[1] + 2 * inset
    width = first + (text_mask(text, size).shape[1] + 2 * inset if text else 0)
    height = round(1.35 * size)
    left = min(max(box.left, 0), drawn.shape[1] - width)
    areas = [
        Area(left, top, left + width, top + height)
        for top in (box.top - height, box.bottom, box.top, box.bottom - height)
        if 0 <= top <= drawn.shape[0] - height
    ] or [Area(left, 0, left + width, height)]
    area = min(areas, key=lambda one: sum(one.overlap(other) for other in taken))
    if text and any(area.overlap(other) for other in taken if other != box):
        return _draw_label(drawn, shown, box, size, False, taken)
    rounded_rectangle(drawn, area.left, area.top, width, height, round(0.25 * size), GROUND, 0.8)
    rounded_rectangle(drawn, area.left, area.top, first, height, round(0.25 * size), colour)
    middle = area.top + height / 2
    draw_text(drawn, number, area.left + first // 2, middle, size, readable_on(colour), True, "middle")
    draw_text(drawn, text, area.left + first + inset, middle, size, "#ffffff")
    return area


VIDEO, PICTURE, PICTURES = "annotated.mp4", "annotated.png", "annotated"


def annotate(open_again: Callable[[], Source], reading: PredictionResult, film: bool, folder: Path) -> None:
    """Write annotated.mp4, annotated.png of one picture, or the folder `annotated` of several, into `folder`.

    open_again: the source once more, since its frames were not kept; frames that were not read are left out.
    """
    read = set(reading.frames.tolist())
    with open_again() as source:
        frames = (frame for frame in source if frame.number in read)
        if film:
            render_video(frames, reading, folder / VIDEO, reading.rate)
            return
        alone = len(read) == 1
        if not alone:
            (folder / PICTURES).mkdir()
        for frame in frames:
            drawn = Renderer(_single_frame(reading, frame.number, frame.size))(frame)
            Image.fromarray(drawn).save(folder / (PICTURE if alone else f"{PICTURES}/{frame.number:05}.png"))


def _single_frame(reading: PredictionResult, number: int, size: tuple[int, int]) -> PredictionResult:
    rows, at = reading.frame == number, reading.frames == number
    outputs = tuple(replace(one, raw=one.raw[rows], smoothed=one.smoothed[rows]) for one in reading.outputs)
    return replace(
        reading,
        size=size,
        frames=reading.frames[at],
        seconds=reading.seconds[at],
        frame=reading.frame[rows],
        face=reading.face[rows],
        found=reading.found[rows],
        boxes=reading.boxes[rows],
        detection=reading.detection[rows],
        outputs=outputs,
    )
