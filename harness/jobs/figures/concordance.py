"""Figure of valence and arousal: two-dimensional histograms of labels and predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.intervals import format_interval, metric_interval
from harness.jobs.figures.scored_run import ScoredRun
from harness.metrics.counts import concordance
from harness.metrics.tasks import AFFECTS
from harness.utils.plotting.style import (
    ALARM,
    GRAY,
    INK,
    ORANGE,
    TEXT,
    add_panel,
    format_count,
    make_titled_figure,
    save_png,
    set_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

SIDE, HISTOGRAM_BINS = 3.45, 50
METRICS = ("CCC_V", "CCC_A")


def draw_ccc(path: Path, run: ScoredRun) -> None:
    """Draw histograms of labels and predictions; for tasks `va` and `mtl`."""
    from matplotlib.colors import LogNorm

    block = run.blocks["va"]
    counts = [
        np.histogram2d(block.smoothed[:, i], block.target[:, i], bins=HISTOGRAM_BINS, range=[[-1, 1], [-1, 1]])[0]
        for i in range(2)
    ]
    figure = make_titled_figure(
        9.1, SIDE + 1.12, "Valence and arousal: labels and predictions", run.heading, run.warning
    )
    max_count = max(2, *(int(count.max()) for count in counts))
    norm = LogNorm(1, max_count)
    pooled = run.statistics.total()["va"]
    for i, (name, metric, count) in enumerate(zip(AFFECTS, METRICS, counts)):
        axes = add_panel(figure, 0.75 + i * (SIDE + 0.6), 0.6, SIDE, SIDE)
        image = axes.imshow(
            np.where(count > 0, count, np.nan),
            origin="lower",
            extent=(-1, 1, -1, 1),
            cmap=_make_colormap(),
            norm=norm,
            interpolation="nearest",
            zorder=2,
        )
        _annotate(axes, name, pooled[i], metric_interval(run.statistics, metric))
    cax = add_panel(figure, 8.42, 0.6, 0.13, SIDE)
    colorbar = figure.colorbar(
        image, cax=cax, ticks=_ticks(max_count), format=lambda value, _: format_count(int(value))
    )
    colorbar.outline.set_visible(False)
    colorbar.set_label(run.row_noun, fontsize=8.5)
    colorbar.minorticks_off()
    colorbar.ax.tick_params(labelsize=8, length=0, which="both")
    save_png(figure, path)


def _make_colormap() -> ListedColormap:
    """Return the colormap Blues without its lightest quarter, which is invisible on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))


def _ticks(max_count: int) -> list[int]:
    """Return the powers of ten up to `max_count`; if `max_count` is below 50, also their multiples by 2 and 5."""
    powers = [10**power for power in range(len(str(max_count)))]
    if max_count >= 50:
        return powers
    return [factor * power for power in powers for factor in (1, 2, 5) if factor * power <= max_count]


def _annotate(axes: Axes, name: str, moments: np.ndarray, bounds: np.ndarray) -> None:
    axes.plot([-1, 1], [-1, 1], color=ORANGE, linewidth=1.1, linestyle=(0, (4, 3)), zorder=3)
    axes.axhline(0, color="#d5dae0", linewidth=0.8, zorder=1)
    axes.axvline(0, color="#d5dae0", linewidth=0.8, zorder=1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.tick_params(pad=6)  # the labels of both axes meet in the lower left corner
    value, defined = concordance(moments)
    score = f"CCC {value:z.3f}{format_interval(bounds, 3)}" if defined else "CCC undefined (constant), counts as 0"
    set_labels(axes, f"true {name}", f"predicted {name}")
    axes.set_title(
        f"{name.capitalize()}: {score}", fontsize=9.5, color=INK if defined else ALARM, loc="left", pad=19, **TEXT
    )
    axes.text(
        0,
        1.015,
        _format_moments(moments, bool(defined)),
        transform=axes.transAxes,
        fontsize=8,
        color=GRAY,
        va="bottom",
        **TEXT,
    )


def _format_moments(moments: np.ndarray, defined: bool) -> str:
    n, mean_true, mean_pred, ss_true, ss_pred, ss_both = moments
    spread = np.sqrt([ss_true / max(n, 1), ss_pred / max(n, 1)])
    parts = [
        f"{name} {mean:z.2f} ± {deviation:.2f}"
        for name, mean, deviation in zip(("label", "prediction"), (mean_true, mean_pred), spread)
    ]
    correlation = f", r {ss_both / np.sqrt(ss_true * ss_pred):z.2f}" if defined else ""
    return f"mean ± SD: {', '.join(parts)}{correlation}"
