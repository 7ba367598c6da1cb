import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.label_spreading import (
    LAST_FRAME,
    Spans,
    cover,
    find_conflicts,
    frame_keys,
    paint,
    split_keys,
    spread_points,
)

POINTS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), min_size=1, max_size=12, unique=True)
LIMITS = st.one_of(st.none(), st.integers(1, 6))


def spans_of(points):
    video, frame = (np.array(column, np.int64) for column in zip(*points))
    return Spans(video, frame, frame, np.arange(len(points)))


def painted(spans, keys):
    """Row of the label of each frame, -1 for none."""
    coverage = cover(spans, keys)
    return dict(zip(keys.tolist(), paint(coverage, spans.row[:, None][:, 0], len(keys), -1)[0].tolist()))


def held(points, video, frame, limit):
    earlier = [point for point in points if point[0] == video and point[1] <= frame]
    last = max(earlier, default=None)
    return last if last and (limit is None or frame - last[1] <= limit) else None


def nearest(points, video, frame, limit):
    near = [(abs(point[1] - frame), point) for point in points if point[0] == video]
    distance, point = min(near, default=(0, None))
    return point if point and (limit is None or distance <= limit) else None


@pytest.mark.parametrize(("rule", "expected"), [("hold", held), ("nearest", nearest)])
@given(points=POINTS, limit=LIMITS)
def test_each_crop_has_the_label_that_a_search_finds(rule, expected, points, limit):
    crops = [(video, frame) for video in range(3) for frame in range(1, 16)]
    keys = frame_keys(*(np.array(column) for column in zip(*crops)))
    result = painted(spread_points(spans_of(points), rule, limit), keys)
    for key, (video, frame) in zip(keys.tolist(), crops):
        label = expected(points, video, frame, limit)
        assert result[key] == (-1 if label is None else points.index(label))


def test_exact_labels_are_not_spread():
    spans = spans_of([(0, 3), (0, 9)])
    assert spread_points(spans, "exact", None) is spans


def test_a_held_label_has_no_end_after_the_last_one():
    assert spread_points(spans_of([(1, 4)]), "hold", None).last.tolist() == [LAST_FRAME]


def test_keys_are_ordered_by_video_then_frame():
    keys = frame_keys(np.array([0, 0, 1]), np.array([1, LAST_FRAME, 1]))
    assert (np.diff(keys) > 0).all()
    assert [part.tolist() for part in split_keys(keys)] == [[0, 0, 1], [1, LAST_FRAME, 1]]


def test_labels_that_agree_do_not_conflict():
    spans = Spans(np.zeros(3, np.int64), np.array([1, 3, 5]), np.array([4, 6, 6]), np.arange(3))
    keys = frame_keys(np.zeros(6, np.int64), np.arange(1, 7))
    coverage = cover(spans, keys)
    for values, conflicts in (([7, 7, 7], []), ([7, 8, 8], [[0, 1, 2]])):
        values = np.array(values)
        assert find_conflicts(coverage, values, *paint(coverage, values, 6, -1)).tolist() == conflicts
