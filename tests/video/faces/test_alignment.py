"""Alignment by five landmarks, compared with other solutions of the same problem and with drawn points."""

import cv2
import numpy as np
import pytest

from backbones.errors import BackboneError
from backbones.spec import Preprocessing
from harness.utils.errors import InputError
from harness.video.faces.alignment import FIVE_POINT, TEMPLATE, FivePointAlignment, align_face, similarity_transform
from harness.video.faces.boxes import Faces
from harness.video.faces.detector import open_detector, require_landmarks
from harness.video.faces.yunet_model import find_packaged_file
from tests.helpers.shared_data import decode_clip


def random_points(seed, count=5):
    return np.random.default_rng(seed).normal(300, 80, (count, 2))


def linear_solution(source, target):
    """The same least squares as a linear system in the four parameters of a similarity transform."""
    rows = [[[x, -y, 1, 0], [y, x, 0, 1]] for x, y in source]
    a, b, c, d = np.linalg.lstsq(np.concatenate(rows), target.ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def umeyama(source, target):
    """The general solution by a singular value decomposition, as published."""
    p, q = source - source.mean(axis=0), target - target.mean(axis=0)
    left, values, right = np.linalg.svd(q.T @ p / len(p))
    signs = np.array([1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (values * signs).sum() / p.var(axis=0).sum()
    return np.column_stack([scale * rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)])


@pytest.mark.parametrize("solution", [linear_solution, umeyama])
@pytest.mark.parametrize("seed", range(5))
def test_transform_is_the_least_squares_solution(solution, seed):
    source = random_points(seed)
    assert similarity_transform(source, TEMPLATE) == pytest.approx(solution(source, TEMPLATE), abs=1e-8)


@pytest.mark.parametrize("solution", [linear_solution, umeyama])
def test_mirrored_points_are_not_reflected(solution):
    mirrored = TEMPLATE * (-1, 1) + (112, 0)
    transform = similarity_transform(mirrored, TEMPLATE)
    assert np.linalg.det(transform[:, :2]) > 0
    assert transform == pytest.approx(solution(mirrored, TEMPLATE), abs=1e-8)


def test_known_transform_is_recovered():
    angle, scale, moved = np.deg2rad(35), 0.37, (12.5, -40.0)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    known = np.array([[cosine, -sine, moved[0]], [sine, cosine, moved[1]]])
    source = random_points(3)
    assert similarity_transform(source, source @ known[:, :2].T + known[:, 2]) == pytest.approx(known, abs=1e-9)


@pytest.mark.parametrize("source", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_points_without_extent_raise(source):
    with pytest.raises(ValueError, match="not finite, or all equal"):
        similarity_transform(source, TEMPLATE)


def dots(size, landmarks, radius):
    """A black image with a white dot at each landmark."""
    pixels = np.zeros((*size, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(pixels, (round(16 * x), round(16 * y)), round(16 * radius), (255,) * 3, -1, cv2.LINE_AA, shift=4)
    return pixels


def centers_of_dots(crop, places, reach):
    """The center of mass around each place."""
    rows, columns = np.indices(crop.shape[:2])
    for x, y in places:
        near = np.hypot(columns - x, rows - y) < reach
        weights = crop[..., 0] * near
        yield (columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()


@pytest.mark.parametrize("side", [112, 224])
@pytest.mark.parametrize("zoom", [0.8, 1.0, 2.6, 7.0])
def test_landmarks_of_a_crop_are_those_of_the_template(side, zoom):
    """Small faces are enlarged, large ones averaged before the warp."""
    angle = np.deg2rad(-28)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (TEMPLATE - 56) @ turn.T + (560, 500)
    crop = align_face(dots((1000, 1120), landmarks, 3 * zoom), landmarks, side)
    assert crop.shape == (side, side, 3)
    places = (TEMPLATE + 0.5) * side / 112 - 0.5
    centers = np.array([*centers_of_dots(crop, places, 8 * side / 112)])
    assert np.abs(centers - places).max() < 0.25 * side / 112


def test_large_faces_are_averaged_not_sampled():
    """A fine checkerboard becomes gray; sampling it would leave black and white pixels."""
    rows, columns = np.indices((1200, 1200))
    board = np.repeat((255 * ((rows + columns) % 2)).astype(np.uint8)[:, :, None], 3, axis=2)
    crop = align_face(board, TEMPLATE * 8.5 + 100, 112)
    assert crop.std() < 6 and abs(crop.mean() - 127.5) < 2


def test_face_at_the_border_repeats_it():
    pixels = np.full((200, 200, 3), 90, np.uint8)
    for zoom, shift in ((1, -60), (1, 150), (5, -300), (5, 180), (4, 5000)):
        assert (align_face(pixels, TEMPLATE * zoom + shift, 112) == 90).all()


def test_landmarks_that_are_no_face_do_not_fail():
    collinear = np.column_stack([np.linspace(1, 9, 5), np.linspace(900, 1, 5)])
    swapped = TEMPLATE[[4, 3, 2, 1, 0]] * (-1, 1) * 9
    for landmarks in (collinear, swapped, random_points(1) * 50):
        assert align_face(np.zeros((90, 90, 3), np.uint8), landmarks, 112).shape == (112, 112, 3)


def test_framings_are_compared_by_their_rule():
    assert FivePointAlignment() == FivePointAlignment() and len({FivePointAlignment(), FivePointAlignment()}) == 1
    with pytest.raises(ValueError, match="without landmarks"):
        FivePointAlignment().cut(np.zeros((9, 9, 3), np.uint8), Faces(np.zeros((1, 4)), np.zeros(1)), 112)


def test_detector_without_landmarks_is_refused():
    with pytest.raises(InputError, match="x reads aligned crops, which takes the positions .* but haar gives boxes"):
        require_landmarks(open_detector("haar"), "x reads aligned crops")


@pytest.fixture(scope="module")
def yunet():
    if find_packaged_file() is None:
        pytest.skip("the extra `faces` is not installed")
    detector = open_detector("yunet")
    require_landmarks(detector, "it has landmarks")
    return detector


def turned_clip(degrees):
    """A frame of a real clip, turned around its center, and the turning."""
    pixels = decode_clip("pyfeat_single_face.mp4")[0]
    height, width = pixels.shape[:2]
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(pixels, turning, (width, height), borderMode=cv2.BORDER_REPLICATE), turning


@pytest.mark.parametrize("degrees", [-35, -20, 20, 35])
def test_refined_landmarks_follow_a_tilted_face(yunet, degrees):
    """Those of the detector lean towards an upright face."""
    upright, _ = turned_clip(0)
    turned, turning = turned_clip(degrees)
    expected = yunet.refine(upright, yunet(upright)).landmarks[0] @ turning[:, :2].T + turning[:, 2]
    found = yunet(turned)
    refined = yunet.refine(turned, found)
    eyes = np.linalg.norm(expected[1] - expected[0])
    before, after = (np.linalg.norm(faces.landmarks[0] - expected, axis=1).mean() for faces in (found, refined))
    assert after < 0.1 * eyes and after < before
    assert abs(slope(refined) - slope(yunet.refine(upright, yunet(upright))) + degrees) < 12
    assert np.array_equal(refined.boxes, found.boxes)


@pytest.mark.parametrize("degrees", [-35, 0, 35])
def test_turned_faces_of_a_real_clip_become_upright(yunet, degrees):
    turned, _ = turned_clip(degrees)
    (crop,) = FivePointAlignment().cut(turned, yunet.refine(turned, yunet(turned)), 112)
    framed = cv2.copyMakeBorder(crop, 40, 40, 40, 40, cv2.BORDER_REPLICATE)
    faces = yunet(framed)
    assert abs(slope(faces)) < 8 and np.abs(faces.landmarks[0] - 40 - TEMPLATE).max() < 9


def test_landmarks_without_a_face_stay(yunet):
    pixels = np.full((200, 300, 3), 128, np.uint8)
    landmarks = np.stack([TEMPLATE, np.full((5, 2), 50.0)]).astype(np.float32)
    faces = yunet.refine(pixels, Faces(np.zeros((2, 4)), np.zeros(2), landmarks=landmarks))
    assert np.array_equal(faces.landmarks, landmarks)


def slope(faces):
    """Angle of the line through the eyes of the only face, in degrees."""
    (landmarks,) = faces.landmarks
    x, y = landmarks[1] - landmarks[0]
    return np.rad2deg(np.arctan2(y, x))


def test_alignment_is_left_out_of_the_preprocessing_of_earlier_versions():
    """The keys of cached features do not change."""
    plain, aligned = Preprocessing(64), Preprocessing(64, align=FIVE_POINT)
    assert "align" not in plain.as_dict() and aligned.as_dict() == {**plain.as_dict(), "align": "five_point"}
    assert Preprocessing.from_dict(aligned.as_dict()) == aligned and Preprocessing.from_dict(plain.as_dict()) == plain
    with pytest.raises(BackboneError, match="unknown alignment 'five'"):
        Preprocessing(64, align="five")
