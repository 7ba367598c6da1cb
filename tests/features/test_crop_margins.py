import numpy as np
import pytest

from harness.features.crop_margins import MIN_FACES, estimate_margin
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import open_detector
from tests.helpers import face_scenes


@pytest.fixture(scope="module")
def haar():
    return open_detector("haar")


def cut(margin, count, detector):
    """Crops of six drawn people in turn, cut with this margin around what the detector finds."""
    people = []
    for who in range(6):
        pixels = face_scenes.frame(160, 160, [(who, 80, 80, 112)])
        people.append(crop(pixels, detector(pixels).boxes[0], margin, 112))
    return [people[at % len(people)] for at in range(count)]


def test_margin_is_estimated_from_crops(haar):
    margin = Margin(1.4, 0.0, 0.1)
    found = estimate_margin(cut(margin, MIN_FACES + 4, haar), haar)
    assert found.scale == pytest.approx(margin.scale, abs=0.06)
    assert (found.dx, found.dy) == pytest.approx((margin.dx, margin.dy), abs=0.04)


def test_too_few_detections_give_no_margin(haar):
    assert estimate_margin([], haar) is None
    few = [face_scenes.drawing(who) for who in range(3)]
    wall = [np.full((64, 64, 3), face_scenes.wall(), np.uint8)] * MIN_FACES
    assert estimate_margin(few + wall, haar) is None
