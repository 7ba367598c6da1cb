"""Style of all figures: fonts, colors, titles, panels placed in inches, and reproducible PNG files.

Figures are created without pyplot, whose figures are global and whose backend may need a display. Most are laid out by
hand, since an automatic layout draws every figure several times.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
TEXT: dict[str, Any] = {"family": "DejaVu Sans", "parse_math": False}
"""Font that comes with matplotlib, so that figures are the same on every machine; a `$` in a name is not math."""
INK, GRAY, PALE, GRID, ALARM = "#1f2933", "#52606d", "#9aa5b1", "#e4e7eb", "#b3261e"
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
"""Colors that color-blind readers can distinguish (Okabe and Ito 2008); the same holds for `CLASS_COLORS`."""
CLASS_COLORS = ("#c3c9d0", ORANGE, GREEN, PURPLE, "#e69f00", BLUE, SKY, "#3a3f45")
"""Colors of the eight expressions, in the order of `harness.metrics.tasks.EXPRESSIONS`."""
FACE_COLORS = (SKY, "#e69f00", "#f0e442", PURPLE, GREEN, ORANGE, "#f4f6f8", BLUE)
"""Colors of the faces in a video by id, beginning with the best contrast on dark backgrounds; the colors repeat from
the ninth face on.
"""
COMPRESSION_LEVEL = 3
"""Compression level of zlib: files are a tenth larger than at the default of 6, but written in half the time."""
HEADER_INCHES = 0.78
"""Height of the title and of the lines below it, in inches."""


@contextmanager
def plotting_context() -> Iterator[None]:
    """Use matplotlib's default settings, regardless of any matplotlibrc, and suspend garbage collection.

    A figure has thousands of short-lived objects, for which the collector would scan the whole process many times.
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


def make_figure(
    width: float, height: float, layout: Literal["constrained", "compressed", "tight"] | None = None
) -> Figure:
    """Create an empty white figure.

    Parameters
    ----------
    width, height : float
        Size in inches.
    layout : {"constrained", "compressed", "tight"}, optional
        Automatic layout; none by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def make_titled_figure(
    width: float, height: float, title: str, lines: tuple[str, ...] = (), warning: str = ""
) -> Figure:
    """Create a figure with a title.

    Parameters
    ----------
    width, height : float
        Width of the figure, and height of the panels without the title, in inches.
    title : str
    lines : tuple of str, default=()
        Up to two lines of text below the title.
    warning : str, default=""
        Shown in red below the lines.
    """
    figure = make_figure(width, height + HEADER_INCHES + (0.2 if warning else 0))
    top = figure.get_figheight()
    figure.text(0.14 / width, 1 - 0.12 / top, title, fontsize=11.5, weight="bold", color=INK, va="top", **TEXT)
    for number, line in enumerate((*lines, warning) if warning else lines):
        color = ALARM if warning and number == len(lines) else GRAY
        figure.text(0.14 / width, 1 - (0.37 + 0.19 * number) / top, line, fontsize=8.5, color=color, va="top", **TEXT)
    return figure


def add_panel(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Add axes in the common style.

    Parameters
    ----------
    figure : Figure
    left, bottom, width, height : float
        Position of the lower left corner and size, in inches.
    **options : Any
        Passed to `Figure.add_axes`.
    """
    figure_width, figure_height = figure.get_figwidth(), figure.get_figheight()
    axes = figure.add_axes(
        (left / figure_width, bottom / figure_height, width / figure_width, height / figure_height), **options
    )
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.spines[:].set_color(GRID)
    axes.set_axisbelow(True)
    return axes


def set_labels(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Set the axis labels and the title of a panel; empty texts are left out."""
    if x:
        axes.set_xlabel(x, fontsize=9, color=INK, labelpad=5, **TEXT)
    if y:
        axes.set_ylabel(y, fontsize=9, color=INK, labelpad=5, **TEXT)
    if title:
        axes.set_title(title, fontsize=9.5, color=INK, loc="left", pad=6, **TEXT)


def label_rows(axes: Axes, rows: Iterable[float], names: Iterable[str], away: float, size: float = 8.5) -> None:
    """Write names to the left of a panel; they are many times faster to draw than tick labels.

    Parameters
    ----------
    axes : Axes
    rows : iterable of float
        Positions on the y axis.
    names : iterable of str
    away : float
        Distance from the panel, in inches.
    size : float, default=8.5
        Font size, in points.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    width = axes.get_position().width * figure.get_figwidth()
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
    """Shorten a name to at most `most` characters; a shortened name ends with an ellipsis.

    Examples
    --------
    >>> truncate("resnet50_affectnet", 10)
    'resnet50_…'
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def format_count(number: int, most: int = 100_000) -> str:
    """Format a count, in thousands from `most` on.

    Examples
    --------
    >>> format_count(99_999), format_count(123_456)
    ('99,999', '123k')
    """
    return f"{number:,}" if number < most else f"{number / 1000:,.0f}k"


def save_png(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure as PNG, atomically; equal figures give equal files.

    Characters that the font lacks are drawn as boxes.

    Parameters
    ----------
    figure : Figure
    path : Path
    **options : Any
        Passed to `Figure.savefig`.
    """
    with atomic_write(path) as tmp_path, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(
            tmp_path,
            format="png",
            metadata={"Software": None},
            pil_kwargs={"compress_level": COMPRESSION_LEVEL},
            **options,
        )
