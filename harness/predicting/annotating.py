"""What was read, drawn on what it was read from: a video, or each of the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from harness.predicting.reading import Reading
from harness.predicting.rendering import Renderer, render_video

if TYPE_CHECKING:
    from harness.video.frames import Source

VIDEO, PICTURE, PICTURES = "annotated.mp4", "annotated.png", "annotated"


def annotate(open_again: Callable[[], Source], reading: Reading, film: bool, folder: Path) -> None:
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
            drawn = Renderer(_of_frame(reading, frame.number, frame.size))(frame)
            Image.fromarray(drawn).save(folder / (PICTURE if alone else f"{PICTURES}/{frame.number:05}.png"))


def _of_frame(reading: Reading, number: int, size: tuple[int, int]) -> Reading:
    rows, at = reading.frame == number, reading.frames == number
    outputs = tuple(replace(one, raw=one.raw[rows], smoothed=one.smoothed[rows]) for one in reading.outputs)
    return replace(reading, size=size, frames=reading.frames[at], seconds=reading.seconds[at],
                   frame=reading.frame[rows], face=reading.face[rows], found=reading.found[rows],
                   boxes=reading.boxes[rows], detection=reading.detection[rows], outputs=outputs)
