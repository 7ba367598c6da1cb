"""Fast drawing on video frames with NumPy arrays and cached masks.

Pixels are uint8 RGB arrays [H, W, 3] that are modified in place; drawing is clipped at their edges. Lengths and
positions are in pixels.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SUPERSAMPLING = 3
"""Masks of curves are drawn larger by this factor and then reduced, for smooth edges."""
HALF_CAP_HEIGHT = 0.365
"""Half the height of a capital letter, relative to the font size."""
LINE, BASELINE = 1.35, 0.98
"""Height of a line of text and of its part above the baseline, relative to the font size."""


@lru_cache(maxsize=256)
def rgb(color: str) -> np.ndarray:
    """Convert `#rrggbb` to uint16 [3]."""
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.uint16)


@lru_cache(maxsize=256)
def readable_on(color: str) -> str:
    """Choose dark or white text, whichever contrasts better with a background color."""
    return "#10161d" if rgb(color) @ np.array([0.299, 0.587, 0.114]) > 110 else "#ffffff"


def fill(pixels: np.ndarray, left: int, top: int, right: int, bottom: int, color: str, opacity: float = 1.0) -> None:  # noqa: PLR0913 - drawing primitive, as in PIL
    """Fill a rectangle; `right` and `bottom` are exclusive."""
    part = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if opacity >= 1:
        part[...] = rgb(color)
    elif part.size:
        weight = np.uint16(round(256 * opacity))
        _mix(part, rgb(color) * weight, np.uint16(256) - weight)


def blend(pixels: np.ndarray, mask: np.ndarray, left: int, top: int, color: str) -> None:
    """Blend a color into the pixels with a uint8 mask [h, w] as opacity."""
    _composite(pixels, _patch(mask, color), left, top)


def rounded_rectangle(  # noqa: PLR0913 - drawing primitive, as in PIL
    pixels: np.ndarray, left: int, top: int, width: int, height: int, radius: int, color: str, opacity: float = 1.0
) -> None:
    """Fill a rectangle with rounded corners."""
    _composite(pixels, _rounded_patch(width, height, radius, color, opacity), left, top)


class Patch(NamedTuple):
    """Image multiplied by its opacity; both arrays are uint16 [h, w, 3], in units of 1/256.

    Attributes
    ----------
    added : ndarray
        Added to the pixels.
    background : ndarray
        Weight of the pixels that the image is drawn on.
    """

    added: np.ndarray
    background: np.ndarray


def _patch(mask: np.ndarray, color: str, opacity: float = 1.0) -> Patch:
    alpha = np.repeat(mask[:, :, None], 3, axis=2).astype(np.uint16)
    weight = alpha + (alpha >> 7) if opacity >= 1 else alpha * np.uint16(round(256 * opacity)) >> 8
    return Patch(rgb(color) * weight, 256 - weight)


def _composite(pixels: np.ndarray, patch: Patch, left: int, top: int) -> None:
    height, width, _ = patch.background.shape
    part = pixels[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if part.size:
        first_row, first_column = max(-top, 0), max(-left, 0)
        rows = slice(first_row, first_row + len(part))
        columns = slice(first_column, first_column + part.shape[1])
        _mix(part, patch.added[rows, columns], patch.background[rows, columns])


def _mix(part: np.ndarray, added: np.ndarray, weight: np.ndarray | np.uint16) -> None:
    """Blend in place with weights in units of 1/256, so that products fit into 16 bits."""
    mixed = part * weight
    mixed += added
    mixed >>= 8
    part[...] = mixed


def draw_text(  # noqa: PLR0913 - drawing primitive, as in PIL
    pixels: np.ndarray,
    text: str,
    x: int,
    middle: float,
    size: int,
    color: str,
    bold: bool = False,
    anchor: str = "left",
) -> None:
    """Draw one line of text.

    Parameters
    ----------
    pixels : ndarray of shape (H, W, 3)
    text : str
    x : int
        Position of the anchor.
    middle : float
        Vertical center of the capital letters.
    size : int
        Font size.
    color : str
        `#rrggbb`.
    bold : bool
    anchor : {"left", "middle", "right"}
        Part of the text that is at `x`.
    """
    patch = _text_patch(text, size, color, bold)
    width = patch.background.shape[1]
    left = x - {"left": 0, "middle": width // 2, "right": width}[anchor]
    _composite(pixels, patch, left, round(middle + HALF_CAP_HEIGHT * size) - round(BASELINE * size))


@lru_cache(maxsize=512)
def _text_patch(text: str, size: int, color: str, bold: bool) -> Patch:
    return _patch(text_mask(text, size, bold), color)


@lru_cache(maxsize=512)
def text_mask(text: str, size: int, bold: bool = False) -> np.ndarray:
    """Render one line of text as a uint8 mask [h, w], as wide as the text."""
    face = _font(size, bold)
    image = Image.new("L", (max(1, round(face.getlength(text))), round(LINE * size)))
    ImageDraw.Draw(image).text((0, round(BASELINE * size)), text, fill=255, font=face, anchor="ls")
    return np.asarray(image)


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which is part of matplotlib and used in all figures."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(
        folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size, layout_engine=ImageFont.Layout.BASIC
    )


@lru_cache(maxsize=256)
def _rounded_patch(width: int, height: int, radius: int, color: str, opacity: float) -> Patch:
    large = Image.new("L", (SUPERSAMPLING * width, SUPERSAMPLING * height))
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, SUPERSAMPLING * width - 1, SUPERSAMPLING * height - 1), SUPERSAMPLING * radius, fill=255
    )
    return _patch(np.asarray(large.reduce(SUPERSAMPLING)), color, opacity)


def outline(pixels: np.ndarray, box: tuple[int, int, int, int], thick: int, color: str, dash: int = 0) -> None:
    """Draw the outline of a box (left, top, right, bottom) inside its edges; `dash` is the dash length, 0 for solid."""
    left, top, right, bottom = box
    for low, high, across in ((left, right, True), (top, bottom, False)):
        starts = range(low, high, 2 * dash) if dash else (low,)
        for start in starts:
            end = min(start + dash, high) if dash else high
            for edge in (top, bottom - thick) if across else (left, right - thick):
                area = (start, edge, end, edge + thick) if across else (edge, start, edge + thick, end)
                fill(pixels, *area, color)
