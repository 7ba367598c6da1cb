"""Labels of points are placed without overlap."""

import numpy as np
import pytest

from harness.utils.plotting.point_labels import label_points
from harness.utils.plotting.style import add_panel, make_figure, plotting_context


def drawn(points, labels, first=None, radius=4.0):
    """(how many labels were written, the extent of each in pixels, that of the axes)"""
    with plotting_context():
        made = make_figure(5, 3)
        axes = add_panel(made, 0.5, 0.5, 4, 2)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        written = label_points(axes, points, labels, [radius] * len(points), first or [False] * len(points))
        return written, {text.get_text(): text.get_window_extent() for text in axes.texts}, axes.get_window_extent()


@pytest.mark.parametrize("seed", range(5))
def test_labels_do_not_overlap_and_stay_inside(seed):
    points = np.random.default_rng(seed).random((25, 2)).tolist()
    written, boxes, axes = drawn(points, [f"point number {i}" for i in range(25)])
    assert written == len(boxes) > 5
    for name, box in boxes.items():
        assert axes.x0 <= box.x0 and box.x1 <= axes.x1 and axes.y0 - 1 <= box.y0 and box.y1 <= axes.y1 + 1
        assert not any(box.overlaps(other) for label, other in boxes.items() if label != name)


def test_first_labels_take_precedence():
    points = [(0.5, 0.5)] * 30
    labels = [f"a long label of {i}" for i in range(30)]
    written, boxes, _ = drawn(points, labels, [i == 29 for i in range(30)])
    assert labels[29] in boxes and written < 30


def test_point_without_label_keeps_its_place_free():
    written, boxes, _ = drawn([(0.5, 0.5), (0.52, 0.5)], ["left", ""], radius=10)
    assert written == 1 and boxes.keys() == {"left"}
    assert drawn([], [])[0] == 0
