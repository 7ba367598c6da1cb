import numpy as np
import pytest

from harness.video.faces.boxes import Margin, crop

ROWS, COLUMNS = np.mgrid[:100, :200].astype(np.uint8)
RAMP = np.dstack([COLUMNS, ROWS, np.full_like(ROWS, 7)])


def test_crop_without_margin_equals_box():
    assert np.array_equal(crop(RAMP, np.array([30, 20, 40, 40]), Margin(1.0)), RAMP[20:60, 30:70])


def test_non_square_box_gives_centered_square():
    assert np.array_equal(crop(RAMP, np.array([30, 30, 60, 20]), Margin(1.0)), RAMP[20:60, 40:80])


def test_margin_and_offset_count_in_sides_of_the_box():
    assert np.array_equal(crop(RAMP, np.array([60, 40, 20, 20]), Margin(2.0, 0.5, -0.25)), RAMP[25:65, 60:100])


@pytest.mark.parametrize(
    "box, rows, columns",
    [
        ([-20, 30, 40, 40], np.arange(30, 70), np.arange(-20, 20).clip(0)),
        ([180, 80, 40, 40], np.arange(80, 120).clip(max=99), np.arange(180, 220).clip(max=199)),
        ([900, 900, 30, 30], np.full(30, 99), np.full(30, 199)),
    ],
)
def test_pixels_outside_the_frame_repeat_the_border(box, rows, columns):
    assert np.array_equal(crop(RAMP, np.array(box), Margin(1.0)), RAMP[rows[:, None], columns])


def test_crop_has_the_side_asked_for_and_shows_the_same():
    for side in (112, 20):
        small = crop(RAMP, np.array([30, 20, 60, 60]), Margin(1.0), side)
        assert small.shape == (side, side, 3) and small.dtype == np.uint8
        places = 30 + (np.arange(side) + 0.5) * 60 / side - 0.5
        assert np.abs(small[side // 2, 2:-2, 0] - places[2:-2]).max() < 1


def test_shrinking_averages():
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(crop(stripes, np.array([0, 0, 80, 80]), Margin(1.0), 20).astype(int) - 100).max() <= 1


def test_crop_is_a_copy_in_one_piece():
    found = crop(RAMP, np.array([30, 20, 40, 40]), Margin(1.0))
    assert found.flags.c_contiguous and not np.shares_memory(found, RAMP)


def test_boxes_of_no_size_still_give_a_pixel():
    assert crop(RAMP, np.array([30, 20, 0.2, 0.2]), Margin(1.0)).shape == (1, 1, 3)
