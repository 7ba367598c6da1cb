"""Figures of a training, checked by their pixels."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from harness.training.backbones.figures import MAX_ERRORS, draw_confusion, draw_errors

CLASSES = ("Neutral", "Anger", "Happiness")


@dataclass
class Mistake:
    path: Path
    truth: str = "Anger"
    predicted: str = "Neutral"
    probability: float = 0.8


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def share(picture, colour):
    """Share of the pixels with exactly this color, in [0, 1] floats."""
    wanted = np.round(255 * np.array(colour)).astype(int)
    return float((np.abs(picture - wanted) <= 1).all(axis=-1).mean())


def blue(value):
    from matplotlib import colormaps

    return colormaps["Blues"](value)[:3]


def test_confusion_matrix_is_colored_by_row_shares(tmp_path):
    draw_confusion(tmp_path / "c.png", np.array([[9000, 1000, 0], [1, 9, 0], [0, 0, 0]]), CLASSES, "drawn")
    picture = pixels(tmp_path / "c.png")
    cell = share(picture, blue(0.9)) / 2
    assert cell > 0.02, "two cells of nine tenths, of 10,000 and of 10 images"
    assert abs(share(picture, blue(0.1)) / 2 - cell) < 0.2 * cell


def test_cells_have_counts_and_axes_have_names(tmp_path):
    """What is drawn differs by the number and by the name alone, though every colour is the same."""
    drawn = []
    for number, name in ((9, "Anger"), (9, "Anger"), (5, "Anger"), (9, "Agner")):
        draw_confusion(tmp_path / "c.png", np.diag([number, 7]), ("Neutral", name))
        drawn.append((tmp_path / "c.png").read_bytes())
    assert drawn[0] == drawn[1] and len(set(drawn)) == 3


def test_errors_are_a_grid_of_their_crops(tmp_path):
    colours = {f"{n}.png": (200, 10 * n, 40) for n in range(26)}

    def crop(path):
        return np.full((8, 8, 3), colours[path.name], np.uint8)

    shown = draw_errors(tmp_path / "e.png", [Mistake(Path(name)) for name in colours], crop, "drawn")
    picture = pixels(tmp_path / "e.png")
    areas = [share(picture, np.array(colour) / 255) for colour in colours.values()]
    assert shown == MAX_ERRORS == 24
    assert min(areas[:24]) > 0.01 and max(areas[24:]) < 0.001


def test_no_errors_give_no_figure(tmp_path):
    assert draw_errors(tmp_path / "e.png", [], lambda path: None) == 0
    assert not list(tmp_path.iterdir())


def test_names_that_look_like_formulas_are_drawn_verbatim(tmp_path):
    draw_confusion(tmp_path / "c.png", np.eye(2, dtype=int), ("$x_", "a_very_long_class_name_of_someone"), "$_$")
    draw_errors(
        tmp_path / "e.png", [Mistake(Path("a"), "$x_", "$\\frac")], lambda path: np.zeros((9, 4, 3), np.uint8), "100 $"
    )
    assert pixels(tmp_path / "c.png").size and pixels(tmp_path / "e.png").size


def test_matplotlib_state_is_not_modified(tmp_path):
    code = (
        "import sys, numpy, pathlib; from harness.training.backbones.figures import draw_confusion;"
        f"draw_confusion(pathlib.Path({str(tmp_path / 'c.png')!r}), numpy.eye(2, dtype=int), ('a', 'b'));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0 and pixels(tmp_path / "c.png").size
