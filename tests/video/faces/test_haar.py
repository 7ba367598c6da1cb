import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from harness.video.faces.detector import open_detector
from tests.helpers import face_scenes


@pytest.fixture(scope="module")
def haar():
    return open_detector("haar")


def near(*boxes, hint=0):
    return np.array([[*box, hint] for box in boxes], np.float32).reshape(-1, 5)


def assert_at(box, x, y, side):
    """The box of a face is centered at (x, y) and about as large as the drawing."""
    assert np.hypot(box[0] + box[2] / 2 - x, box[1] + box[3] / 2 - y) < 0.2 * side
    assert 0.6 * side < box[2] < 1.1 * side


@pytest.mark.parametrize("size, face", [((640, 360), 60), ((321, 241), 150), ((1920, 1080), 400), ((240, 426), 40)])
def test_face_is_found_where_it_is(haar, size, face):
    x, y = size[0] * 0.6, size[1] * 0.5
    faces = haar(face_scenes.frame(*size, [(0, x, y, face)]))
    assert len(faces) == 1
    assert_at(faces.boxes[0], x, y, face)
    assert faces.scores[0] > 1


@pytest.mark.parametrize("degrees", [-40, -25, 25, 40])
def test_heads_that_are_tilted_are_found(haar, degrees):
    faces = haar(face_scenes.frame(320, 240, [(1, 150, 120, 130)], degrees))
    assert len(faces) == 1
    assert_at(faces.boxes[0], 150, 120, 130)


def test_eight_faces_at_once(haar):
    places = [(who, 80 + 160 * (who % 4), 90 + 180 * (who // 4), 110) for who in range(8)]
    faces = haar(face_scenes.frame(640, 360, places))
    assert len(faces) == 8
    for _, x, y, side in places:
        middles = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
        assert_at(faces.boxes[np.hypot(*(middles - (x, y)).T).argmin()], x, y, side)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (30, 200), (320, 240)])
def test_frame_without_face_has_none(haar, size):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    for pixels in (noise, face_scenes.frame(*size, [])):
        faces = haar(pixels)
        assert faces.boxes.shape == (0, 4) and faces.scores.shape == (0,)


@pytest.mark.parametrize("name", ["flower.jpg", "china.jpg"])
def test_photos_without_faces_have_no_detections(haar, name):
    pixels, nobody = load_sample_image(name), np.empty((0, 5), np.float32)
    assert [len(haar(pixels, nobody, turn)) for turn in range(8)] == [0] * 8


def test_tracked_face_is_searched_locally(haar):
    pixels = face_scenes.frame(640, 360, [(0, 200, 180, 120), (2, 480, 180, 120)])
    there = haar(pixels, near([150, 130, 100, 100]), frame_index=1)
    assert len(there) == 1
    assert_at(there.boxes[0], 200, 180, 120)
    assert len(haar(pixels, near([290, 130, 100, 100]), frame_index=1)) == 0
    assert len(haar(pixels, near([150, 130, 100, 100]), frame_index=8)) == 2


def test_tilted_face_is_found_with_its_hint(haar):
    pixels = face_scenes.frame(640, 360, [(1, 300, 180, 120)], degrees=-40)
    first = haar(pixels, near([255, 135, 90, 90]), frame_index=1)
    again = haar(pixels, near(first.boxes[0], hint=first.hints[0]), frame_index=2)
    assert first.hints[0] != 0 and again.hints[0] == first.hints[0]
    assert_at(again.boxes[0], 300, 180, 120)


def test_boxes_of_a_still_face_are_stable(haar):
    """Noise as of a sensor moves them by less than a fiftieth of their side; searched anew they move by more."""
    rng = np.random.default_rng(1)
    still = face_scenes.frame(200, 180, [(0, 100, 90, 120)])
    frames = [np.clip(still + rng.normal(0, 8, (180, 200, 1)), 0, 255).astype(np.uint8) for _ in range(9)]
    box, sides, anew = haar(frames[0]).boxes[0], [], []
    for turn, pixels in enumerate(frames[1:], 1):
        faces = haar(pixels, near(box), turn)
        box = faces.boxes[0]
        sides.append(box[2])
        anew.append(haar(pixels).boxes[0, 2])
    assert np.abs(np.diff(sides)).max() / 120 < 0.02
    assert np.std(np.diff(sides)) < np.std(np.diff(anew))


def test_faces_smaller_than_asked_for_are_left_out():
    pixels = face_scenes.frame(640, 360, [(0, 150, 180, 60), (1, 450, 180, 200)])
    assert len(open_detector("haar", 24)(pixels)) == 2
    large = open_detector("haar", 100)(pixels)
    assert len(large) == 1
    assert_at(large.boxes[0], 450, 180, 200)


def test_same_frame_gives_the_same_faces(haar):
    pixels = face_scenes.frame(640, 360, [(0, 200, 180, 120), (2, 480, 180, 100)])
    for arguments in ((), (near([420, 130, 100, 100]), 4)):
        first, second = haar(pixels, *arguments), open_detector("haar")(pixels, *arguments)
        assert np.array_equal(first.boxes, second.boxes) and np.array_equal(first.scores, second.scores)


def test_identity_depends_on_settings(haar):
    assert haar.identity != open_detector("haar", 30).identity
    assert haar.identity == open_detector("haar").identity
