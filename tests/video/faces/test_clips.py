"""Faces of real people, if the clips are available."""

import av
import numpy as np
import pytest

from harness.video.faces.detector import open_detector
from harness.video.faces.tracker import FaceTracker
from tests.helpers.shared_data import shared_data


def followed(name, times=1):
    """ids and boxes of each frame, with the names of the tracks that lasted; the rate is the clip's own."""
    with av.open(str(shared_data() / "clips" / name)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        rate = float(stream.average_rate)
    detector, tracker, seen = open_detector("haar"), FaceTracker(rate), []
    for number, pixels in enumerate(frames * times, 1):
        faces = detector(pixels, tracker.expected_boxes(), tracker.turn)
        seen.append(dict(zip(tracker.update(number, faces).tolist(), faces.boxes)))
    names = tracker.confirmed_tracks()
    return [{names[face]: box for face, box in faces.items() if face in names} for faces in seen]


def middles(seen, face):
    return np.array([faces[face][0] + faces[face][2] / 2 for faces in seen if face in faces])


@pytest.mark.parametrize("name", ["bbaf2n", "lbax4n", "pwij3p", "sbia1a", "swiz3n"])
def test_speaker_is_the_only_face(name):
    seen = followed(f"grid_{name}.mpg")
    assert len(seen) == 75
    assert np.mean([1 in faces for faces in seen]) >= 0.95
    assert {face for faces in seen for face in faces} == {1}


def test_face_is_found_in_every_frame():
    seen = followed("pyfeat_single_face.mp4")
    assert len(seen) == 72 and all(set(faces) == {1} for faces in seen)


def test_two_faces_have_two_ids_that_never_swap():
    seen = followed("intel_head-pose-female-and-male.gif")
    assert {face for faces in seen for face in faces} == {1, 2}
    assert np.mean([len(faces) == 2 for faces in seen]) >= 0.95
    assert middles(seen, 1).max() < 200 and middles(seen, 2).min() > 250


def test_turning_head_is_tracked():
    seen = followed("intel_head-pose-female.gif", times=3)
    assert np.mean([set(faces) == {1} for faces in seen]) >= 0.95
    assert {face for faces in seen for face in faces} == {1}
