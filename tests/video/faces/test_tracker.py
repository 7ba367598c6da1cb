import numpy as np
import pytest

from harness.video.faces.boxes import Faces
from harness.video.faces.tracker import HITS, FaceTracker

SIDE = 100


def faces(*centres, side=SIDE):
    boxes = np.array([[x - side / 2, y - side / 2, side, side] for x, y in centres], np.float32).reshape(-1, 4)
    return Faces(boxes, np.ones(len(boxes), np.float32))


def looks(*people, noise=0.02, seed=0):
    """Embeddings of people, unlike one another and a little different each time."""
    own = np.random.default_rng(9).normal(0, 1, (4, 32))
    return (own[list(people)] + np.random.default_rng(seed).normal(0, noise, (len(people), 32))).astype(np.float32)


def test_two_faces_side_by_side_keep_their_ids():
    tracker, rng = FaceTracker(25), np.random.default_rng(0)
    for number in range(1, 60):
        left, right = [200, 200] + rng.normal(0, 5, 2), [310, 205] + rng.normal(0, 5, 2)
        first = number % 2
        ids = tracker.update(number, faces(left, right) if first else faces(right, left))
        assert ids.dtype == np.int64
        assert ids.tolist() == ([1, 2] if first else [2, 1])
    assert tracker.confirmed_tracks() == {1: 1, 2: 2}


@pytest.mark.parametrize("known", [True, False])
def test_faces_that_cross_keep_their_ids(known):
    """One hides the other in the middle, and only one box is found; with looks, and by their ways alone."""
    tracker, after = FaceTracker(25), None
    for number in range(1, 81):
        going, coming = 100 + 5 * number, 500 - 5 * number
        hidden = abs(going - coming) < 0.6 * SIDE
        places, people = ([(going, 200)], [0]) if hidden else ([(going, 200), (coming, 210)], [0, 1])
        after = tracker.update(number, faces(*places), looks(*people, seed=number) if known else None)
    assert after.tolist() == [1, 2]
    assert tracker.confirmed_tracks() == {1: 1, 2: 2}


def test_returning_face_is_matched_by_appearance():
    """Both look away for half a second, and have changed places meanwhile."""
    tracker = FaceTracker(25)
    for number in range(1, 20):
        tracker.update(number, faces((200, 200), (300, 200)), looks(0, 1, seed=number))
    assert tracker.update(32, faces((210, 200), (290, 200)), looks(1, 0, seed=99)).tolist() == [2, 1]


def test_short_gap_keeps_the_id_and_a_long_one_does_not():
    for gap, expected in ((24, 1), (40, 2)):
        tracker = FaceTracker(25)
        for number in range(1, 11):
            tracker.update(number, faces((200, 200)))
        for number in range(11, 10 + gap):
            assert tracker.update(number, faces()).shape == (0,)
        assert tracker.update(10 + gap, faces((220, 200))).tolist() == [expected]


def test_skipped_frames_count_as_time():
    tracker = FaceTracker(30)
    for number in range(1, 100, 9):
        assert tracker.update(number, faces((100 + 4 * number, 200))).tolist() == [1]
    assert tracker.update(200, faces((500, 200))).tolist() == [2]


def test_distant_or_resized_box_is_another_face():
    tracker = FaceTracker(25)
    for number in range(1, 6):
        tracker.update(number, faces((200, 200)))
    assert tracker.update(6, faces((500, 200))).tolist() == [2]
    assert tracker.update(7, faces((200, 200), side=3 * SIDE)).tolist() == [3]


def test_false_detections_are_not_confirmed():
    tracker = FaceTracker(25)
    for number in range(1, 30):
        found = faces((200, 200)) if number != 3 else faces((200, 200), (500, 100))
        tracker.update(
            number,
            found if number < 10 else Faces(np.vstack([found.boxes, faces((400, 300)).boxes]), np.ones(2, np.float32)),
        )
    assert tracker.confirmed_tracks() == {1: 1, 3: 2}


def test_tracks_are_confirmed_after_a_few_detections():
    tracker, known = FaceTracker(25), []
    for number in range(1, 6):
        tracker.update(number, faces((200, 200)))
        known.append(tracker.confirmed_tracks())
    assert known == [{}] * (HITS - 1) + [{1: 1}] * (6 - HITS)


def test_single_image_is_confirmed_immediately():
    tracker = FaceTracker(None)
    assert tracker.update(1, faces((200, 200), (400, 200))).tolist() == [1, 2]
    assert tracker.confirmed_tracks() == {1: 1, 2: 2}


def test_hints_follow_the_motion():
    tracker = FaceTracker(25)
    assert tracker.expected_boxes().shape == (0, 5) and tracker.turn == 0
    for number in range(1, 12):
        boxes = faces((200 + 10 * number, 200 - 4 * number))
        tracker.update(number, Faces(boxes.boxes, boxes.scores, np.array([7])))
    row = tracker.expected_boxes()[0]
    assert row[:2] + row[2:4] / 2 == pytest.approx([320, 152], abs=2)
    assert row[4] == 7 and tracker.turn == 11


def test_lost_face_is_not_searched():
    tracker = FaceTracker(25)
    for number in range(1, 6):
        tracker.update(number, faces((200, 200)))
    tracker.update(10, faces())
    assert len(tracker.expected_boxes()) == 1
    tracker.update(25, faces())
    assert len(tracker.expected_boxes()) == 0


def test_uninformative_appearance_is_ignored():
    """All alike, as of a network that has learned nothing."""
    tracker = FaceTracker(25)
    for number in range(1, 20):
        ids = tracker.update(number, faces((200, 200), (320, 200)), np.ones((2, 8), np.float32))
    assert ids.tolist() == [1, 2]
