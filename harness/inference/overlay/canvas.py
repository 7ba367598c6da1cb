"""Painting on the pixels of video frames: many times a second, so by arrays and masks that are kept, not by figures.

Pixels are uint8 [H, W, 3] RGB and are painted on in place; what lies outside of them is cut off. Lengths and places
are in pixels.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SUPERSAMPLING = 3
"""Masks of curves are drawn so many times larger and reduced, which is what makes their edges smooth."""
HALF_CAP_HEIGHT = 0.365
"""Half the height of a capital letter, in sizes of the font."""
LINE, BASELINE = 1.35, 0.98
"""Height of a line of text and of its part above the base line, in sizes of the font."""


@lru_cache(maxsize=256)
def rgb(colour: str) -> np.ndarray:
    """uint16 [3] of `#rrggbb`."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.uint16)


@lru_cache(maxsize=256)
def readable_on(colour: str) -> str:
    """Black or white ink, whichever is told better from that ground."""
    return "#10161d" if rgb(colour) @ np.array([0.299, 0.587, 0.114]) > 110 else "#ffffff"


def fill(pixels: np.ndarray, left: int, top: int, right: int, bottom: int, colour: str, opacity: float = 1.0) -> None:  # noqa: PLR0913 - drawing primitive, as in PIL
    """A rectangle, `right` and `bottom` not included."""
    part = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if opacity >= 1:
        part[...] = rgb(colour)
    elif part.size:
        weight = np.uint16(round(256 * opacity))
        _mix(part, rgb(colour) * weight, np.uint16(256) - weight)


def blend(pixels: np.ndarray, mask: np.ndarray, left: int, top: int, colour: str) -> None:
    """A colour where the mask, uint8 [h, w], is 255, and in between where it is less."""
    _composite(pixels, _patch(mask, colour), left, top)


def rounded_rectangle(  # noqa: PLR0913 - drawing primitive, as in PIL
    pixels: np.ndarray, left: int, top: int, width: int, height: int, radius: int, colour: str, opacity: float = 1.0
) -> None:
    """A rectangle with round corners."""
    _composite(pixels, _rounded_patch(width, height, radius, colour, opacity), left, top)


class Patch(NamedTuple):
    """What is added to pixels and how much of them is kept, in 256ths; uint16 [h, w, 3]."""

    added: np.ndarray
    background: np.ndarray


def _patch(mask: np.ndarray, colour: str, opacity: float = 1.0) -> Patch:
    seen = np.repeat(mask[:, :, None], 3, axis=2).astype(np.uint16)
    weight = seen + (seen >> 7) if opacity >= 1 else seen * np.uint16(round(256 * opacity)) >> 8
    return Patch(rgb(colour) * weight, 256 - weight)


def _composite(pixels: np.ndarray, stamp: Patch, left: int, top: int) -> None:
    height, width, _ = stamp.background.shape
    part = pixels[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if part.size:
        down, across = slice(max(-top, 0), max(-top, 0) + len(part)), max(-left, 0)
        seen = slice(across, across + part.shape[1])
        _mix(part, stamp.added[down, seen], stamp.background[down, seen])


def _mix(part: np.ndarray, added: np.ndarray, kept: np.ndarray | np.uint16) -> None:
    """In 256ths, which 16 bits have room for."""
    mixed = part * kept
    mixed += added
    mixed >>= 8
    part[...] = mixed


def draw_text(  # noqa: PLR0913 - drawing primitive, as in PIL
    pixels: np.ndarray,
    text: str,
    x: int,
    middle: float,
    size: int,
    colour: str,
    bold: bool = False,
    anchor: str = "left",
) -> None:
    """One line, its capital letters centred on `middle`; anchor: which part of it lies at x, `left`, `middle`, `right`."""
    stamp = _text_patch(text, size, colour, bold)
    width = stamp.background.shape[1]
    left = x - {"left": 0, "middle": width // 2, "right": width}[anchor]
    _composite(pixels, stamp, left, round(middle + HALF_CAP_HEIGHT * size) - round(BASELINE * size))


@lru_cache(maxsize=512)
def _text_patch(text: str, size: int, colour: str, bold: bool) -> Patch:
    return _patch(text_mask(text, size, bold), colour)


@lru_cache(maxsize=512)
def text_mask(text: str, size: int, bold: bool = False) -> np.ndarray:
    """uint8 [h, w] mask of one line, as wide as the text."""
    face = _font(size, bold)
    image = Image.new("L", (max(1, round(face.getlength(text))), round(LINE * size)))
    ImageDraw.Draw(image).text((0, round(BASELINE * size)), text, fill=255, font=face, anchor="ls")
    return np.asarray(image)


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """The font of every picture, which comes with matplotlib."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(
        folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size, layout_engine=ImageFont.Layout.BASIC
    )


@lru_cache(maxsize=256)
def _rounded_patch(width: int, height: int, radius: int, colour: str, opacity: float) -> Patch:
    large = Image.new("L", (SUPERSAMPLING * width, SUPERSAMPLING * height))
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, SUPERSAMPLING * width - 1, SUPERSAMPLING * height - 1), SUPERSAMPLING * radius, fill=255
    )
    return _patch(np.asarray(large.reduce(SUPERSAMPLING)), colour, opacity)


def outline(pixels: np.ndarray, box: tuple[int, int, int, int], thick: int, colour: str, dash: int = 0) -> None:
    """The frame of a box (left, top, right, bottom) inside its edges; `dash`: length of dashes, 0 for a whole line."""
    left, top, right, bottom = box
    for low, high, across in ((left, right, True), (top, bottom, False)):
        starts = range(low, high, 2 * dash) if dash else (low,)
        for start in starts:
            end = min(start + dash, high) if dash else high
            for edge in (top, bottom - thick) if across else (left, right - thick):
                area = (start, edge, end, edge + thick) if across else (edge, start, edge + thick, end)
                fill(pixels, *area, colour)
