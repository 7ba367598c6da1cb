"""Films slower than a frame a second, and of variable rate with long pauses."""

import numpy as np
import pytest

from harness.inference.face_stage import DetectAndTrack
from harness.video.faces.boxes import Faces, Margin
from harness.video.faces.detector import open_detector
from harness.video.faces.track import FrameTime
from harness.video.faces.tracker import FaceTracker
from harness.video.frames import Frame, with_durations
from tests.helpers import face_scenes
from tests.video.faces.test_tracker import faces


def follow(times, seen, rate=1.0):
    """The ids of each frame and the tracker; `seen` are the faces of each frame, which is shown until the next."""
    tracker, ids = FaceTracker(rate), []
    durations = [*np.diff(times), float("nan")]
    for number, (seconds, duration, boxes) in enumerate(zip(times, durations, seen), 1):
        ids.append(tracker.update(number, boxes, time=FrameTime(seconds, duration)).tolist())
    return ids, tracker.confirmed_tracks()


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.1, 1 / 60])
def test_face_of_a_slow_film_is_one_track(rate):
    times = np.arange(16) / rate
    assert follow(times, [faces((200 + 3 * number, 200)) for number in range(16)], rate) == ([[1]] * 16, {1: 1})


def test_face_in_one_frame_of_a_slow_film_is_found():
    """The rate gives no second frame of it; of 25 frames a second, one is a false detection."""
    seen = [faces(), faces((200, 200)), faces(), faces(), faces()]
    assert follow(np.arange(5) / 0.5, seen, 0.5)[1] == {1: 1}
    assert follow(np.arange(5) / 25, seen, 25)[1] == {}


def test_face_in_the_last_frame_of_a_slow_film_is_found():
    assert follow([0.0, 10.0], [faces(), faces((200, 200))], 0.1)[1] == {1: 1}


@pytest.mark.parametrize("rate, missed, same", [(0.1, 2, True), (0.1, 3, False), (25, 24, True), (25, 25, False)])
def test_patience_is_in_frames_where_a_second_has_none(rate, missed, same):
    seen = [faces((200, 200))] * 5 + [faces()] * missed + [faces((205, 200))]
    assert follow(np.arange(len(seen)) / rate, seen, rate)[0][-1] == [1 if same else 2]


def test_long_pauses_neither_end_nor_confirm_a_track():
    """The average rate of these 25 frames a second with two pauses of half a minute is less than one."""
    times = np.concatenate([np.arange(20) / 25, 30 + np.arange(20) / 25, 60 + np.arange(20) / 25])
    seen = [faces((200, 200))] * len(times)
    assert follow(times, seen, 60 / 61) == ([[1]] * 60, {1: 1})
    for number in (30, 31, 32, 34, 35):  # not in these frames, but within a second
        seen[number] = faces()
    assert follow(times, seen, 60 / 61)[0][-1] == [1]
    seen[5] = faces((200, 200), (500, 100))
    assert follow(times, seen, 60 / 61)[1] == {1: 1}, "a false detection of 0.04 s"
    seen[19] = faces((200, 200), (500, 100))
    assert follow(times, seen, 60 / 61)[1] == {1: 1, 2: 2}, "shown for half a minute"


def test_face_that_is_absent_for_a_pause_is_another():
    times = [0.0, 0.04, 0.08, 0.12, 40.0, 40.04, 40.08]
    seen = [faces((200, 200))] * 3 + [faces()] + [faces((200, 200))] * 3
    assert follow(times, seen, 25)[0] == [[1], [1], [1], [], [2], [2], [2]]


def test_machine_of_less_than_a_frame_a_second_follows_a_camera():
    """Of a camera's 25 frames a second, it processes one in 1.2 seconds."""
    tracker = FaceTracker(25)
    ids = [tracker.update(number, faces((200, 200))).tolist() for number in range(1, 300, 30)]
    assert ids == [[1]] * 10 and tracker.confirmed_tracks() == {1: 1}


def test_every_face_is_found_wherever_it_is_in_a_slow_film():
    """In each frame at another place, tilted, and in one frame a second person; in a photo, these faces are found."""
    people = [[(0, 90, 100, 112)], [(0, 520, 250, 112)], [(0, 120, 240, 112), (1, 480, 100, 112)], [(0, 300, 150, 112)]]
    tilts = (0, 30, 0, -30)
    frames = [
        Frame(number, 10.0 * (number - 1), face_scenes.frame(640, 360, scene, tilt))
        for number, (scene, tilt) in enumerate(zip(people, tilts), 1)
    ]
    stage = DetectAndTrack(open_detector("haar"), (Margin(1.0),), 0.1)
    found = list(map(stage, with_durations(frames)))
    assert [len(faces.ids) for faces in found] == [1, 1, 2, 1]
    assert set(stage.confirmed_tracks()) == {number for faces in found for number in faces.ids.tolist()}


@pytest.mark.parametrize("live, turns", [(False, [0, 1, 2]), (True, [8, 9, 10])])
def test_first_frame_of_a_usual_film_is_searched_thoroughly_unless_live(live, turns):
    """That takes as long as ten frames, which would be dropped."""
    calls = []

    def detector(pixels, expected_boxes=None, frame_index=None):
        calls.append((expected_boxes is None, frame_index))
        return Faces(np.empty((0, 4), np.float32), np.empty(0, np.float32))

    stage = DetectAndTrack(detector, (), 25, live)
    pixels = np.zeros((48, 64, 3), np.uint8)
    for frame in with_durations(Frame(number, number / 25, pixels) for number in range(1, 4)):
        stage(frame)
    assert calls == [(False, turn) for turn in turns]


def test_upright_face_is_found_in_the_first_live_frame():
    frame = Frame(1, 0.0, face_scenes.frame(640, 360, [(0, 300, 150, 112)]))
    assert len(DetectAndTrack(open_detector("haar"), (Margin(1.0),), 25, live=True)(frame).ids) == 1
