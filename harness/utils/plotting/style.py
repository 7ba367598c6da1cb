"""How every picture looks: fonts, colours, a title above, panels placed in inches, bytes that depend on nothing else.

Figures are made without pyplot, whose figures are global and whose back end may want a display, and laid out by hand:
an automatic layout draws every figure several times.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
TEXT: dict[str, Any] = {"family": "DejaVu Sans", "parse_math": False}
"""A font that comes with matplotlib, so that every machine draws the same; a `$` in a name is a `$`."""
INK, GRAY, PALE, GRID, ALARM = "#1f2933", "#52606d", "#9aa5b1", "#e4e7eb", "#b3261e"
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
"""Told apart by colour-blind readers (Okabe and Ito 2008), as are CLASS_COLOURS."""
CLASS_COLORS = ("#c3c9d0", ORANGE, GREEN, PURPLE, "#e69f00", BLUE, SKY, "#3a3f45")
"""Of the eight expressions in their order."""
FACE_COLORS = (SKY, "#e69f00", "#f0e442", PURPLE, GREEN, ORANGE, "#f4f6f8", BLUE)
"""Of the faces in a video by their ids, those first that stand out most on dark grounds; they come again from the
ninth on."""
COMPRESSION_LEVEL = 3
"""Of zlib: files a tenth larger than at its default 6, in half the time."""
HEADER_INCHES = 0.78
"""Inches above the panels that the title takes."""


@contextmanager
def plotting_context() -> Iterator[None]:
    """Matplotlib as it comes, whatever a matplotlibrc on this machine says; and no garbage collection meanwhile.

    A figure is thousands of short-lived objects, for which all that the process holds would be visited many times.
    """
    from matplotlib import rc_context, rcParamsDefault

    collecting = gc.isenabled()
    gc.disable()
    try:
        with rc_context({name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")}):
            yield
    finally:
        if collecting:
            gc.enable()


def make_figure(width: float, height: float, layout: str | None = None) -> Figure:
    """An empty white figure, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(made)
    return made


def make_titled_figure(
    width: float, height: float, title: str, lines: tuple[str, ...] = (), warning: str = ""
) -> Figure:
    """A figure whose panels have `height` inches, under a title, up to two lines and a warning in red."""
    made = make_figure(width, height + HEADER_INCHES + (0.2 if warning else 0))
    top = made.get_figheight()
    made.text(0.14 / width, 1 - 0.12 / top, title, fontsize=11.5, weight="bold", color=INK, va="top", **TEXT)
    for number, line in enumerate((*lines, warning) if warning else lines):
        colour = ALARM if warning and number == len(lines) else GRAY
        made.text(0.14 / width, 1 - (0.37 + 0.19 * number) / top, line, fontsize=8.5, color=colour, va="top", **TEXT)
    return made


def add_panel(made: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Axes with their lower left corner at (left, bottom), all in inches, in the quiet style of every picture."""
    across, up = made.get_figwidth(), made.get_figheight()
    axes = made.add_axes((left / across, bottom / up, width / across, height / up), **options)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.spines[:].set_color(GRID)
    axes.set_axisbelow(True)
    return axes


def set_labels(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """The words along the axes and above them."""
    if x:
        axes.set_xlabel(x, fontsize=9, color=INK, labelpad=5, **TEXT)
    if y:
        axes.set_ylabel(y, fontsize=9, color=INK, labelpad=5, **TEXT)
    if title:
        axes.set_title(title, fontsize=9.5, color=INK, loc="left", pad=6, **TEXT)


def label_rows(axes: Axes, rows: Iterable[float], names: Iterable[str], away: float, size: float = 8.5) -> None:
    """Names left of the panel, `away` inches from it; many times faster to draw than ticks."""
    width = axes.get_position().width * axes.figure.get_figwidth()
    axes.yaxis.set_visible(False)
    for row, name in zip(rows, names):
        axes.text(
            -away / width,
            row,
            name,
            transform=axes.get_yaxis_transform(),
            fontsize=size,
            color=INK,
            ha="right",
            va="center_baseline",
            **TEXT,
        )


def truncate(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def format_count(number: int, most: int = 100_000) -> str:
    """A count; from `most` on in thousands."""
    return f"{number:,}" if number < most else f"{number / 1000:,.0f}k"


def save_png(made: Figure, path: Path, **options: Any) -> None:
    """Write a PNG, whole or not at all; the same figure gives the same bytes. A letter that the font lacks is a box."""
    with atomic_write(path) as aside, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        made.savefig(
            aside,
            format="png",
            metadata={"Software": None},
            pil_kwargs={"compress_level": COMPRESSION_LEVEL},
            **options,
        )
