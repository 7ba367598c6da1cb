from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.inference.summary_figure import SUMMARY, write_summary
from harness.inference.timeline_panels import SEEN, UNSEEN
from harness.utils.plotting.style import BLUE, CLASS_COLORS, ORANGE
from tests.helpers.prediction_results import a_reading
from tests.helpers.scored_runs import amount, pixels

BOX = (100, 80, 120, 120)


def drawn(folder, *arguments, **options):
    return write_summary(a_reading(*arguments, **options), folder)


def test_every_output_has_its_panels(tmp_path):
    heights = {}
    for tasks in (("expr",), ("va",), ("au",), ("mtl",), ("expr", "va", "au")):
        path = drawn(tmp_path, [BOX], frames=40, tasks=tasks)
        assert path == tmp_path / SUMMARY
        heights[tasks] = len(pixels(path))
        assert (amount(path, CLASS_COLORS[2]) > 2000) == (tasks[0] in ("expr", "mtl"))
        assert (amount(path, ORANGE) > 500) == (tasks != ("va",))
        assert (amount(path, BLUE) > 500) == (tasks != ("au",))
    assert heights[("mtl",)] == heights[("expr", "va", "au")] > max(heights[(one,)] for one in ("expr", "va", "au"))


def test_missing_faces_are_marked(tmp_path):
    shares = []
    for lost in ((), [(1, 11, 20)], [(1, 11, 30)]):
        path = drawn(tmp_path, [BOX], frames=40, tasks=("va",), lost=lost)
        row = next(row for row in pixels(path)[150:] if (np.abs(row - _rgb(SEEN)) <= 1).all(axis=1).sum() > 200)
        seen, unseen = ((np.abs(row - _rgb(colour)) <= 1).all(axis=1).sum() for colour in (SEEN, UNSEEN))
        shares.append(unseen / (seen + unseen))
    assert shares == pytest.approx([0, 0.25, 0.5], abs=0.01)


def test_empty_frames_are_white(tmp_path):
    colours = {}
    for missing in ("filled", "empty"):
        path = drawn(tmp_path, [BOX], frames=40, tasks=("expr",), lost=[(1, 11, 30)], missing=missing)
        colours[missing] = sum(amount(path, colour) for colour in CLASS_COLORS)
    assert colours["empty"] < 0.7 * colours["filled"]


def test_probabilities_that_do_not_sum_to_1_are_not_filled_up_with_the_last_expression(tmp_path):
    """As medians of each for itself may be."""
    reading, shares = a_reading([BOX], frames=40, tasks=("expr",)), {}
    one = reading.outputs[0]
    for total in (1.0, 0.5):
        scaled = np.full_like(one.smoothed, total / 10)
        scaled[:, 0] = 3 * total / 10
        outputs = (dataclasses.replace(one, smoothed=scaled),)
        path = write_summary(dataclasses.replace(reading, outputs=outputs), tmp_path)
        shares[total] = amount(path, CLASS_COLORS[-1]) / amount(path, CLASS_COLORS[4])
    assert shares == pytest.approx({1.0: 1, 0.5: 1}, abs=0.3)


def test_most_frequent_faces_are_shown(tmp_path):
    two, eight = (len(pixels(drawn(tmp_path, [BOX] * count, frames=20))) for count in (2, 8))
    assert eight == two, "a picture has an end"
    assert len(pixels(drawn(tmp_path, [BOX] * 8, frames=20, tasks=("va",)))) > eight


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 1, "rate": None},
        {"frames": 20, "without": range(1, 21)},
        {"frames": 3, "lost": [(1, 1, 3)]},
        {"frames": 4000, "lost": [(1, 1, 900)]},
    ],
)
def test_one_picture_no_face_a_face_never_seen_and_a_long_video(tmp_path, options):
    assert pixels(drawn(tmp_path, [BOX], **options)).min() < 100


def test_missing_glyphs_do_not_warn(tmp_path, recwarn):
    assert write_summary(dataclasses.replace(a_reading([BOX], frames=3), source="顔.mp4"), tmp_path).exists()
    assert not recwarn.list


def test_figure_is_deterministic(tmp_path):
    first = drawn(tmp_path / "a", [BOX], frames=30).read_bytes()
    assert drawn(tmp_path / "b", [BOX], frames=30).read_bytes() == first


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
