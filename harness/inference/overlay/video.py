"""Draw the outputs on the frames and write the annotated video or images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from harness.video.frames import Frame, Source, TimeLimitedSource

if TYPE_CHECKING:
    from harness.video.audio import AudioTrack


MIN_SIDE, MAX_SIDE = 320, 1920
"""Small frames are enlarged by an integer factor, so that text is readable. The shorter side gets at least MIN_SIDE
pixels, unless the longer side would then exceed MAX_SIDE."""
FONT_SIZE, FONT_SIDE, FONT_GROWTH = 12, 360, 0.85
"""Font size for a shorter side of FONT_SIDE pixels; it grows with the side to the power of FONT_GROWTH."""
STRIP_WIDTH = 14
"""Width of the strip for panels, relative to the font size. It is added if the face leaves no room for its panel."""


def draw_faces(pixels: np.ndarray, faces: Sequence[FaceOverlay], places: PanelLayout) -> np.ndarray:
    """Draw a box, a number and a panel for each face on a copy of a frame.

    The box is dashed if the face was not detected in this frame. A face without a panel has a caption next to its
    number if there is room.

    Parameters
    ----------
    pixels : ndarray of shape (H, W, 3)
        uint8 RGB.
    faces : sequence of FaceOverlay
    places : PanelLayout
        Layout of the previous frames; it is updated.

    Returns
    -------
    ndarray of shape (H, W, 3)
    """
    image = np.array(pixels, copy=True)
    size = places.size
    boxes = [_clip_box(shown.box, places.beside or places.width, places.height) for shown in faces]
    placements = places.place_panels(faces, boxes)
    thick = max(2, round(size / 6))
    for shown, box in zip(faces, boxes):
        dash = 0 if shown.found else round(0.6 * size)
        outline(image, (box.left - 1, box.top - 1, box.right + 1, box.bottom + 1), thick + 2, GROUND, dash)
        outline(image, box, thick, face_color(shown.face), dash)
    taken = [placement.area for placement in placements.values()]
    for shown, box in zip(faces, boxes):
        if shown.face in placements:
            placement = placements[shown.face]
            paint_panel(image, placement.columns, shown, placement.area.left, placement.area.top, size)
        taken.append(_draw_label(image, shown, box, size, shown.face not in placements, [*taken, *boxes]))
    return image


class Renderer:
    """Renderer of the annotated frames of a result; frames must be passed in order.

    Attributes
    ----------
    size : tuple of int
        Width and height of the rendered frames in pixels.
    """

    def __init__(self, result: PredictionResult) -> None:
        width, height = result.size
        self.faces = FacesByFrame(result)
        self.enlarged = max(1, min(math.ceil(MIN_SIDE / min(width, height)), MAX_SIDE // max(width, height)))
        self.picture = self.enlarged * width, self.enlarged * height
        self.font = max(11, round(FONT_SIZE * (min(self.picture) / FONT_SIDE) ** FONT_GROWTH))
        strip = round(STRIP_WIDTH * self.font) if self._needs_strip() else 0
        self.size = self.picture[0] + strip, self.picture[1]
        self.places = PanelLayout(*self.size, self.font, self.picture[0] if strip else 0)

    def _needs_strip(self) -> bool:
        """Return whether frames usually have a single face that leaves no room for a panel with all details."""
        result = self.faces.result
        rows = np.flatnonzero(result.found)
        if not len(rows) or np.median(np.unique(result.frame, return_counts=True)[1]) > 1:
            return False
        typical = _clip_box(tuple(self.enlarged * np.median(result.boxes[rows], axis=0)), *self.picture)
        shown = self.faces[int(result.frame[rows[len(rows) // 2]])][:1]
        places = PanelLayout(*self.picture, self.font)
        return (
            all(face.known for face in shown)
            and places.fits_all_details(typical)
            and (not places.place_panels(shown, [typical]) or places.level > 0)
        )

    def __call__(self, frame: Frame) -> np.ndarray:
        """Render a frame as a uint8 array; frames of a different size are letterboxed."""
        pixels, scale, left, top = self._fit(frame.pixels)
        moved = [
            replace(shown, box=(x * scale + left, y * scale + top, width * scale, height * scale))
            for shown in self.faces[frame.number]
            for x, y, width, height in (shown.box,)
        ]
        return draw_faces(pixels, moved, self.places)

    def _fit(self, pixels: np.ndarray) -> tuple[np.ndarray, float, int, int]:
        """Fit the frame into the size of the video; return it with its scale, left and top."""
        height, width = pixels.shape[:2]
        scale = min(self.picture[0] / width, self.picture[1] / height)
        if (width, height) == self.size:
            return pixels, 1.0, 0, 0
        inner = round(width * scale), round(height * scale)
        left, top = (self.picture[0] - inner[0]) // 2, (self.picture[1] - inner[1]) // 2
        canvas = np.zeros((self.size[1], self.size[0], 3), dtype=np.uint8)
        resized = np.asarray(Image.fromarray(pixels).resize(inner, Image.Resampling.BILINEAR))
        canvas[top : top + inner[1], left : left + inner[0]] = resized
        return canvas, scale, left, top


def render_video(
    frames: Iterable[Frame], result: PredictionResult, path: Path, rate: float | None, audio: AudioTrack | None = None
) -> int:
    """Write the annotated frames as an H.264 video and return their number.

    Parameters
    ----------
    frames : iterable of Frame
        Frames in ascending order. Frames that the result lacks are left out, and the audio ends with the last frame of
        the result.
    result : PredictionResult
    path : Path
        Path of the video, which is written only if all frames can be written.
    rate : float or None
        Frames per second for frames without time stamps; None for 25.
    audio : AudioTrack, optional
    """
    from harness.video.writer import VideoWriter

    renderer, count = Renderer(result), 0
    numbers = set(result.frames.tolist())
    with VideoWriter(path, rate, renderer.size, audio) as video:
        for frame in frames:
            if frame.number in numbers:
                video.write(renderer(frame), frame.seconds)
                count += 1
            elif frame.number > result.frames[-1]:
                if audio is not None and math.isfinite(frame.seconds):
                    audio.end = frame.seconds
                break
    return count


def _clip_box(box: tuple[float, float, float, float], width: int, height: int) -> Area:
    """Clip a box to an image of the given size."""
    x, y, across, down = box
    return Area(max(0, round(x)), max(0, round(y)), min(width, round(x + across)), min(height, round(y + down)))


def _draw_label(
    image: np.ndarray, shown: FaceOverlay, box: Area, size: int, words: bool, taken: Sequence[Area]
) -> Area:
    """Draw the number of a face at its box and, with `words`, its caption if there is room; return the label area."""
    color = face_color(shown.face)
    number, text = str(shown.face), caption(shown) if words else ""
    inset = round(0.35 * size)
    first = text_mask(number, size, True).shape[1] + 2 * inset
    width = first + (text_mask(text, size).shape[1] + 2 * inset if text else 0)
    height = round(1.35 * size)
    left = min(max(box.left, 0), image.shape[1] - width)
    areas = [
        Area(left, top, left + width, top + height)
        for top in (box.top - height, box.bottom, box.top, box.bottom - height)
        if 0 <= top <= image.shape[0] - height
    ] or [Area(left, 0, left + width, height)]
    area = min(areas, key=lambda candidate: sum(candidate.overlap(other) for other in taken))
    if text and any(area.overlap(other) for other in taken if other != box):
        return _draw_label(image, shown, box, size, False, taken)
    rounded_rectangle(image, area.left, area.top, width, height, round(0.25 * size), GROUND, 0.8)
    rounded_rectangle(image, area.left, area.top, first, height, round(0.25 * size), color)
    middle = area.top + height / 2
    draw_text(image, number, area.left + first // 2, middle, size, readable_on(color), True, "middle")
    draw_text(image, text, area.left + first + inset, middle, size, "#ffffff")
    return area


VIDEO, PICTURE, PICTURES = "annotated.mp4", "annotated.png", "annotated"


def annotate(
    open_again: Callable[[], Source], result: PredictionResult, is_video: bool, folder: Path
) -> tuple[str, ...]:
    """Write annotated.mp4 for a video, annotated.png for one image, or a folder `annotated` for several images.

    Parameters
    ----------
    open_again : callable
        Opens the source a second time, since frames are not cached.
    result : PredictionResult
        Frames that the result lacks are left out.
    is_video : bool
    folder : Path
        Folder to write to.

    Returns
    -------
    tuple of str
        Messages about audio that could not be written to the video.
    """
    with open_again() as source, _open_audio(source) as audio:
        if is_video:
            render_video(source, result, folder / VIDEO, result.rate, audio)
            return (audio.note,) if audio is not None and audio.note else ()
        numbers = set(result.frames.tolist())
        single = len(numbers) == 1
        if not single:
            (folder / PICTURES).mkdir()
        for frame in (frame for frame in source if frame.number in numbers):
            image = Renderer(_single_frame(result, frame.number, frame.size))(frame)
            Image.fromarray(image).save(folder / (PICTURE if single else f"{PICTURES}/{frame.number:05}.png"))
    return ()


def _open_audio(source: Source) -> AbstractContextManager[AudioTrack | None]:
    """Open the audio of a video file; None for other sources."""
    from harness.video.audio import AudioTrack
    from harness.video.reader import VideoSource

    file = source.source if isinstance(source, TimeLimitedSource) else source
    if not isinstance(file, VideoSource):
        return nullcontext()
    return AudioTrack(file.path, source.seconds if isinstance(source, TimeLimitedSource) else math.inf)


def _single_frame(result: PredictionResult, number: int, size: tuple[int, int]) -> PredictionResult:
    rows, at = result.frame == number, result.frames == number
    outputs = tuple(replace(run, raw=run.raw[rows], smoothed=run.smoothed[rows]) for run in result.outputs)
    return replace(
        result,
        size=size,
        frames=result.frames[at],
        seconds=result.seconds[at],
        frame=result.frame[rows],
        face=result.face[rows],
        found=result.found[rows],
        boxes=result.boxes[rows],
        detection=result.detection[rows],
        outputs=outputs,
    )
