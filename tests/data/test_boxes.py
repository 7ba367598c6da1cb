import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.boxes import box_corners, crop_to_box

NONE = np.full(4, np.nan, np.float32)
SIDES = st.integers(1, 24)
LENGTHS = st.integers(1, 240).map(lambda quarters: max(1.0, quarters / 4))
MARGINS = st.tuples(st.floats(0, 2), st.floats(0, 2))


def grid(height, width):
    """An image whose pixels say where they are: row, column, 0."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)


def bounds(crop):
    """First and last row and column."""
    return crop[0, 0, 0], crop[-1, -1, 0], crop[0, 0, 1], crop[-1, -1, 1]


def test_crop_equals_box():
    crop = crop_to_box(grid(20, 30), np.array([4, 2, 10, 12], np.float32))
    assert crop.shape == (10, 6, 3) and bounds(crop) == (2, 11, 4, 9)


def test_margin_is_a_share_of_each_side():
    crop = crop_to_box(grid(100, 100), np.array([40, 50, 60, 60], np.float32), (0.25, 0.5))
    assert bounds(crop) == (45, 64, 35, 64)


def test_box_is_clipped_at_the_border():
    assert bounds(crop_to_box(grid(20, 30), np.array([-5, 10, 8, 400], np.float32))) == (10, 19, 0, 7)
    assert crop_to_box(grid(20, 30), np.array([0, 0, 30, 20], np.float32), (1, 1)).shape == (20, 30, 3)


def test_no_box_is_the_whole_image():
    image = grid(5, 7)
    assert np.array_equal(crop_to_box(image, NONE, (0.1, 0.1)), image)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((40, 2, 50, 12), r"\(40, 2, 50, 12\) covers none of its 30 x 20 pixels"),
        ((4, -12, 10, -2), "covers none of"),
        ((4, 2, 4, 12), r"\(4, 2, 4, 12\) is empty"),
        ((4, 12, 10, 2), "is empty"),
        ((4, np.nan, 10, 12), "is not finite"),
        ((4, 2, np.inf, 12), "is not finite"),
    ],
)
def test_empty_box_raises(box, words):
    with pytest.raises(ValueError, match=f"^its face box .*{words}"):
        crop_to_box(grid(20, 30), np.array(box, np.float32))


@st.composite
def overlapping(draw):
    """An image and a box of at least one pixel, of which at least one pixel lies in the image."""
    height, width = draw(SIDES), draw(SIDES)
    wide, high = draw(LENGTHS), draw(LENGTHS)
    left, top = draw(st.floats(1 - wide, width - 1, width=32)), draw(st.floats(1 - high, height - 1, width=32))
    return grid(height, width), np.array([left, top, left + wide, top + high], np.float32)


@given(overlapping(), MARGINS)
def test_every_crop_lies_in_the_image_and_in_its_box(drawn, margin):
    image, (left, top, right, bottom) = drawn[0], map(float, drawn[1])
    crop = crop_to_box(image, drawn[1], margin)
    first_row, last_row, first_column, last_column = map(int, bounds(crop))
    assert crop.size and np.array_equal(crop, image[first_row : last_row + 1, first_column : last_column + 1])
    wide, high = (right - left) * margin[0], (bottom - top) * margin[1]
    assert first_column >= left - wide - 0.51 and last_column + 1 <= right + wide + 0.51
    assert first_row >= top - high - 0.51 and last_row + 1 <= bottom + high + 0.51


@given(SIDES, SIDES, st.data())
def test_whole_numbered_box_inside_the_image_is_a_slice(height, width, data):
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    image = grid(height, width)
    assert np.array_equal(
        crop_to_box(image, np.array([left, top, right, bottom], np.float32)), image[top:bottom, left:right]
    )


@given(overlapping(), MARGINS)
def test_margin_never_shrinks_the_crop(drawn, margin):
    plain, wider = crop_to_box(*drawn), crop_to_box(*drawn, margin)
    assert {tuple(p) for p in plain.reshape(-1, 3)} <= {tuple(p) for p in wider.reshape(-1, 3)}


def test_zero_size_boxes_have_no_corners():
    x, width = np.array([1, 1, np.nan, 1]), np.array([10, 0, 10, -3])
    found = box_corners(x, np.full(4, 2), width, np.full(4, 5))
    assert found[0].tolist() == [1, 2, 11, 7] and np.isnan(found[1:]).all() and found.dtype == np.float32
