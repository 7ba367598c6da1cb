"""Panel with the outputs of one face: its content at each level of detail, its size, and its drawing.

Lengths are relative to the font size, so that panels look the same in every video.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from harness.inference.overlay.canvas import (
    SUPERSAMPLING,
    blend,
    draw_text,
    fill,
    readable_on,
    rounded_rectangle,
    text_mask,
)
from harness.inference.overlay.frame_faces import FaceOverlay
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.plotting.style import FACE_COLORS

GROUND, LIGHT, DIM, FAINT = "#10161d", "#ffffff", "#c3c9d0", "#7b8794"
OPACITY = 0.74
PADDING, GAP = 0.55, 0.5
WIDTH = 11.4
"""Width of a block."""
SMALL = 0.84
"""Size of secondary text."""
UNITS_PER_ROW = 4
"""Action units per row."""


class Canvas(NamedTuple):
    """Drawing target of a block.

    Attributes
    ----------
    pixels : ndarray of shape (H, W, 3)
        Pixels of the frame.
    left, top : int
        Position of the block in the frame.
    size : int
        Font size.
    color : str
        Color of the face.
    """

    pixels: np.ndarray
    left: int
    top: int
    size: int
    color: str

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Convert a position in the block, relative to the font size, to pixels of the frame."""
        return self.left + round(x * self.size), self.top + round(y * self.size)

    @property
    def small(self) -> int:
        """Font size of secondary text."""
        return max(9, round(SMALL * self.size))


@dataclass(frozen=True)
class PanelBlock:
    """Part of a panel.

    Attributes
    ----------
    needs : str
        Output without which the block is omitted; "" if it is always drawn.
    height : float
    paint : callable
        Draws the block.
    """

    needs: str
    height: float
    paint: Callable[[Canvas, FaceOverlay], None]


def face_color(face: int) -> str:
    """Get the color of a face number."""
    return FACE_COLORS[(face - 1) % len(FACE_COLORS)]


def caption(shown: FaceOverlay) -> str:
    """Summarize a face: its expression, else valence and arousal, else up to three active action units."""
    if not shown.known:
        return "" if shown.found else "not seen"
    if shown.expression is not None:
        return EXPRESSIONS[int(shown.expression.argmax())]
    if shown.trail is not None:
        return "  ".join(f"{name[0].upper()} {format_signed(value)}" for name, value in zip(AFFECTS, shown.trail[-1]))
    present = active_units(shown)
    return (" ".join(present[:3]) + (" …" if len(present) > 3 else "")) if present else ""


def active_units(shown: FaceOverlay) -> list[str]:
    """List the active action units."""
    return [] if shown.units is None else [name for name, on in zip(ACTION_UNITS, shown.units) if on]


def format_signed(value: float) -> str:
    """Format with sign and two decimals; 0.00 has no sign."""
    text = f"{value:+z.2f}".replace("-", "−")  # noqa: RUF001 - typographic minus
    return "0.00" if text[1:] == "0.00" else text


def _title(canvas: Canvas, shown: FaceOverlay) -> None:
    """Draw the number of the face, and its expression with the probability."""
    expression = shown.expression
    size = canvas.size
    x, middle = canvas.at(0, 0.75)
    number = str(shown.face)
    wide = max(round(1.5 * size), text_mask(number, size, True).shape[1] + round(0.7 * size))
    rounded_rectangle(canvas.pixels, x, canvas.top, wide, round(1.5 * size), round(0.3 * size), canvas.color)
    draw_text(canvas.pixels, number, x + wide // 2, middle, size, readable_on(canvas.color), True, "middle")
    if expression is None:
        draw_text(canvas.pixels, f"face {shown.face}", x + wide + round(0.5 * size), middle, size, LIGHT)
        return
    draw_text(canvas.pixels, caption(shown), x + wide + round(0.5 * size), middle, size, LIGHT, True)
    draw_text(
        canvas.pixels,
        f"{100 * expression.max():.0f}%",
        canvas.at(WIDTH, 0)[0],
        middle,
        canvas.small,
        LIGHT,
        anchor="right",
    )


def _bar(canvas: Canvas, left: float, y: float, height: float, share: float, color: str) -> None:
    """Draw a bar from `left` to the right edge of the block; a share of the bar is filled."""
    x, top = canvas.at(left, y)
    right, bottom = canvas.at(WIDTH, y + height)
    fill(canvas.pixels, x, top, right, bottom, LIGHT, 0.14)
    fill(canvas.pixels, x, top, x + round((right - x) * float(share)), bottom, color)


def _top_bar(canvas: Canvas, shown: FaceOverlay) -> None:
    assert shown.expression is not None
    _bar(canvas, 0, 0, 0.42, shown.expression.max(), canvas.color)


def _bars(canvas: Canvas, shown: FaceOverlay) -> None:
    """Draw the probabilities of the eight expressions, the largest in the color of the face."""
    assert shown.expression is not None
    best = int(shown.expression.argmax())
    for i, (name, share) in enumerate(zip(EXPRESSIONS, shown.expression)):
        x, middle = canvas.at(0, 1.06 * i + 0.53)
        draw_text(canvas.pixels, name, x, middle, canvas.small, LIGHT if i == best else DIM)
        _bar(canvas, 5.5, 1.06 * i + 0.2, 0.66, share, canvas.color if i == best else DIM)


def _affect(across: float) -> Callable[[Canvas, FaceOverlay], None]:
    """Return a function that draws valence (rightwards) and arousal (upwards): a dot with a trail, and numbers."""

    def paint(canvas: Canvas, shown: FaceOverlay) -> None:
        assert shown.trail is not None
        side = round(across * canvas.size)
        blend(canvas.pixels, _circle(side), canvas.left, canvas.top, LIGHT)
        trail, dot, edge = _trail_masks(side, shown.trail, max(0.17 * canvas.size, 2.5))
        blend(canvas.pixels, trail, canvas.left, canvas.top, canvas.color)
        blend(canvas.pixels, edge, canvas.left, canvas.top, GROUND)
        blend(canvas.pixels, dot, canvas.left, canvas.top, canvas.color)
        for i, (name, value) in enumerate(zip(AFFECTS, shown.trail[-1])):
            x, middle = canvas.at(across + 0.7, across * (0.13 + 0.51 * i))
            draw_text(canvas.pixels, f"{name} {'→↑'[i]}", x, middle, canvas.small, DIM)
            draw_text(
                canvas.pixels, format_signed(value), x, middle + 0.23 * across * canvas.size, canvas.size, LIGHT, True
            )

    return paint


@lru_cache(maxsize=64)
def _circle(side: int) -> np.ndarray:
    """Render the mask [side, side] of the disc, its edge and the two axes."""
    large, last, thin = SUPERSAMPLING * side, SUPERSAMPLING * side - 1, max(SUPERSAMPLING, SUPERSAMPLING * side // 60)
    disc = Image.new("L", (large, large))
    pen = ImageDraw.Draw(disc)
    pen.ellipse((0, 0, last, last), fill=26)
    for line in ((large // 2, 0, large // 2, last), (0, large // 2, last, large // 2)):
        pen.line(line, fill=85, width=thin)
    pen.ellipse((0, 0, last, last), outline=145, width=thin)
    return np.asarray(disc.reduce(SUPERSAMPLING))


def _trail_masks(side: int, trail: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Render three masks [side, side]: the fading trail, the dot at its end, and the dark edge of the dot."""
    half, reach = SUPERSAMPLING * side / 2, SUPERSAMPLING * (side / 2 - radius - 1)
    points = half + reach * _clip_to_circle(trail) * np.array([1, -1])
    line, dot, edge = (Image.new("L", (SUPERSAMPLING * side, SUPERSAMPLING * side)) for _ in range(3))
    pen, thick = ImageDraw.Draw(line), max(2, round(SUPERSAMPLING * radius * 0.7))
    for i, (start, end) in enumerate(zip(points, points[1:])):
        pen.line((*start, *end), fill=30 + 190 * (i + 1) // len(points), width=thick)
    for image, distance in ((dot, SUPERSAMPLING * radius), (edge, SUPERSAMPLING * (radius + 1))):
        ImageDraw.Draw(image).ellipse((*(points[-1] - distance), *(points[-1] + distance)), fill=255)
    return (
        np.asarray(line.reduce(SUPERSAMPLING)),
        np.asarray(dot.reduce(SUPERSAMPLING)),
        np.asarray(edge.reduce(SUPERSAMPLING)),
    )


def _clip_to_circle(values: np.ndarray) -> np.ndarray:
    """Project valence and arousal outside the unit circle to its edge."""
    return values / np.maximum(1, np.linalg.norm(values, axis=1, keepdims=True))


def _all_units(canvas: Canvas, shown: FaceOverlay) -> None:
    """Draw all twelve action units at fixed positions, the active ones highlighted."""
    assert shown.units is not None
    for i, (name, on) in enumerate(zip(ACTION_UNITS, shown.units)):
        row, column = divmod(i, UNITS_PER_ROW)
        _unit_chip(canvas, name, column, 1.3 * row, bool(on))


def _active_row(canvas: Canvas, shown: FaceOverlay) -> None:
    """Draw the active action units in one row; if not all fit, the last chip shows the number of the others."""
    names = active_units(shown)
    if not names:
        draw_text(canvas.pixels, "no active AU", *canvas.at(0, 0.6), canvas.small, FAINT)
    more = len(names) - UNITS_PER_ROW
    if more > 0:
        names = [*names[: UNITS_PER_ROW - 1], f"+{more + 1}"]
    for column, name in enumerate(names):
        _unit_chip(canvas, name, column, 0, True)


def _unit_chip(canvas: Canvas, name: str, column: int, y: float, on: bool) -> None:
    step = (WIDTH + 0.2) / UNITS_PER_ROW
    wide, high = round((step - 0.2) * canvas.size), round(1.15 * canvas.size)
    x, top = canvas.at(column * step, y)
    if on:
        rounded_rectangle(canvas.pixels, x, top, wide, high, round(0.3 * canvas.size), canvas.color)
    draw_text(
        canvas.pixels,
        name,
        x + wide // 2,
        top + high / 2,
        max(9, round(0.8 * canvas.size)),
        readable_on(canvas.color) if on else FAINT,
        anchor="middle",
    )


TITLE, TOP_BAR, BARS = PanelBlock("", 1.5, _title), PanelBlock("expr", 0.42, _top_bar), PanelBlock("expr", 8.4, _bars)
AFFECT, SMALL_AFFECT = PanelBlock("va", 5.6, _affect(5.6)), PanelBlock("va", 4.8, _affect(4.8))
UNITS, ACTIVE = PanelBlock("au", 3.75, _all_units), PanelBlock("au", 1.15, _active_row)

Columns = tuple[tuple[PanelBlock, ...], ...]
LEVELS: tuple[tuple[Columns, ...], ...] = (
    (((TITLE, BARS, AFFECT, UNITS),), ((TITLE, BARS), (AFFECT, UNITS))),
    (((TITLE, TOP_BAR, SMALL_AFFECT, ACTIVE),), ((TITLE, TOP_BAR, ACTIVE), (SMALL_AFFECT,))),
    (((TITLE, TOP_BAR, ACTIVE),),),
)
"""Levels of detail, from high to low. Each level lists its arrangements, the narrowest first. Below the last level, a
face has only a label."""


def known_columns(columns: Columns, shown: FaceOverlay) -> Columns:
    """Remove the blocks whose outputs are not available, and columns that become empty."""
    available = {
        "": True,
        "expr": shown.expression is not None,
        "va": shown.trail is not None,
        "au": shown.units is not None,
    }
    remaining = tuple(tuple(block for block in column if available[block.needs]) for column in columns)
    return tuple(column for column in remaining if column)


def panel_size(columns: Columns, size: int) -> tuple[int, int]:
    """Compute width and height of a panel in pixels."""
    height = max(sum(block.height for block in column) + GAP * (len(column) - 1) for column in columns)
    width = len(columns) * WIDTH + (len(columns) - 1) * 2 * GAP
    return round((width + 2 * PADDING) * size), round((height + 2 * PADDING) * size)


def paint_panel(pixels: np.ndarray, columns: Columns, shown: FaceOverlay, left: int, top: int, size: int) -> None:
    """Draw a panel with its upper left corner at (left, top); `size` is the font size."""
    width, height = panel_size(columns, size)
    color = face_color(shown.face)
    rounded_rectangle(pixels, left, top, width, height, round(0.45 * size), GROUND, OPACITY)
    for i, column in enumerate(columns):
        x, y = left + round((PADDING + i * (WIDTH + 2 * GAP)) * size), top + round(PADDING * size)
        for block in column:
            block.paint(Canvas(pixels, x, y, size, color), shown)
            y += round((block.height + GAP) * size)
