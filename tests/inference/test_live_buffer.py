"""Rows of a live video in a few growing arrays."""

import numpy as np
import pytest

from harness.inference.live_buffer import BLOCK, append_rows, pack_rows
from harness.inference.live_smoothing import LiveRow

WIDTHS = (8, 2)
FIELDS = ("frame", "id", "found", "boxes", "scores")


def rows(count):
    """Three faces in turn, every fifth row of a face that was not found; the third was found only at the beginning."""
    rng, made = np.random.default_rng(0), []
    for place in range(count):
        found = bool(place % 5) and (place % 3 < 2 or place < 9)
        outputs = tuple(rng.random(width) for width in WIDTHS)
        raw = tuple(own.astype(np.float32) for own in outputs) if found else None
        made.append(
            LiveRow(1 + place // 3, 1 + place % 3, found, rng.random(4).astype(np.float32), float(place), raw, outputs)
        )
    return made


@pytest.mark.parametrize("step", [1, 7, 400, 2500])
def test_appended_rows_equal_the_input(step):
    made, blocks = rows(2500), []
    for start in range(0, len(made), step):
        blocks = append_rows(blocks, pack_rows(made[start : start + step], WIDTHS))
    assert len(blocks) <= len(made) / BLOCK + 1
    all_of_them, whole = append_rows(blocks, all_in_one=True)[0], pack_rows(made, WIDTHS)
    for name in FIELDS:
        assert np.array_equal(getattr(all_of_them, name), getattr(whole, name))
    for name in ("raw", "smoothed"):
        for own, other, width in zip(getattr(all_of_them, name), getattr(whole, name), WIDTHS):
            assert own.shape == (2500, width) and np.array_equal(own, other, equal_nan=True)
    assert np.array_equal(np.isnan(whole.raw[0]).all(axis=1), ~whole.found) and whole.raw[1].dtype == np.float32


def test_no_rows():
    nobody = append_rows([], pack_rows([], WIDTHS))
    assert len(nobody) == 1 and len(nobody[0]) == 0 and nobody[0].boxes.shape == (0, 4)
    assert [own.shape for own in nobody[0].smoothed] == [(0, 8), (0, 2)] and nobody[0].until_last_found().shape == (0,)


def test_rows_end_with_the_frame_in_which_a_face_was_last_found():
    held = pack_rows(rows(60), WIDTHS)
    kept = held.take(held.until_last_found())
    for face in (1, 2, 3):
        seen = held.frame[(held.id == face) & held.found].max()
        assert kept.frame[kept.id == face].tolist() == list(range(1, seen + 1))
    assert kept.frame[kept.id == 3].max() == 3 < kept.frame.max()


def test_face_that_was_never_found_has_no_row():
    row = rows(1)[0]
    assert not row.found and not pack_rows([row], WIDTHS).until_last_found().any()
