"""Tracks of a video, joined to people who are named by their position."""

import numpy as np
import pytest

from harness.inference.cropping.people import TrackCollector, people_names
from harness.inference.cropping.video_list import people_bases
from harness.inference.face_stage import FrameFaces


def collect(tracks, width=640):
    """tracks: id -> {frame: x of the center}."""
    collector = TrackCollector()
    for frame in sorted({frame for track in tracks.values() for frame in track}):
        visible = [(number, track[frame]) for number, track in tracks.items() if frame in track]
        boxes = np.array([[x - 20, 50, 40, 40] for _, x in visible], np.float32)
        ids = np.array([number for number, _ in visible])
        blank = np.zeros(len(visible))
        collector.add(FrameFaces(frame, 0.0, (width, 360), boxes, blank, blank, ids, blank, ()))
    return collector


def at(x, *frames):
    return dict.fromkeys(frames, x)


def test_people_are_ordered_by_their_mean_position():
    """They cross: the one who begins on the left is mostly on the right."""
    crossing = {frame: 200 + 8 * frame for frame in range(1, 41)}
    collector = collect({1: crossing, 2: at(330, *range(1, 41))})
    people = collector.people([1, 2])
    assert [person.tracks for person in people] == [(2,), (1,)]
    assert people[0].position == pytest.approx(330 / 640, abs=1e-6) and people[0].frames.tolist() == [*range(1, 41)]


def test_person_who_was_lost_is_one_person():
    collector = collect({1: at(300, *range(1, 20)), 2: at(320, *range(40, 60)), 3: at(280, *range(80, 95))})
    (person,) = collector.people([1, 2, 3])
    assert person.tracks == (1, 2, 3) and person.frames.tolist() == [*range(1, 20), *range(40, 60), *range(80, 95)]


def test_lost_person_is_continued_by_the_nearest_track():
    tracks = {1: at(100, *range(1, 30)), 2: at(500, *range(1, 30)), 3: at(480, *range(50, 80))}
    tracks[4] = at(120, *range(51, 80))
    people = collect(tracks).people([1, 2, 3, 4])
    assert [person.tracks for person in people] == [(1, 4), (2, 3)]


def test_people_at_the_same_time_are_different():
    tracks = {number: at(50 * number, 1, 2, 3, 4) for number in range(1, 13)}
    people = collect(tracks).people(tracks)
    assert [person.tracks for person in people] == [(number,) for number in range(1, 13)]


def test_track_that_begins_when_another_ends_is_another_person():
    tracks = {1: at(100, 1, 2, 3), 2: at(110, 3, 4, 5)}
    assert len(collect(tracks).people([1, 2])) == 2


def test_unconfirmed_and_brief_faces_are_no_people():
    tracks = {1: at(300, *range(1, 101)), 2: at(100, 5), 3: at(500, 6, 7, 8, 9), 4: at(550, *range(20, 25))}
    people = collect(tracks).people([1, 3])
    assert [person.tracks for person in people] == [(1,)]
    assert [person.tracks for person in collect(tracks).people([1, 3, 4])] == [(1,), (3, 4)]
    assert collect(tracks).people([]) == []


def test_names_of_several_people_do_not_collide_with_other_videos():
    names = {"a.mp4": "a", "a_left.mp4": "a_left", "b/c": "c", "c_12.avi": "c_12", "d.mp4": "d"}
    assert people_bases(names) == {**names, "a.mp4": "a.mp4", "b/c": "c-people"}
    assert people_names("a", "a.mp4", 2) == ["a.mp4_left", "a.mp4_right"] and people_names("a", "a.mp4", 1) == ["a"]
