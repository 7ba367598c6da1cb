"""Notes about faces that were not found, long filters and runs that learned from synthetic faces."""

from types import SimpleNamespace

import pytest

from harness.inference.face_stage import DetectAndTrack, PrecroppedFaces
from harness.inference.forward import LoadedRun
from harness.inference.predict_session import PredictSession
from harness.inference.result_notes import result_notes
from harness.metrics.tasks import get_task
from harness.smoothing.kernels import SmoothingParams
from harness.video.faces.boxes import Faces
from harness.video.faces.haar import HaarDetector
from tests.helpers.prediction_results import a_reading
from tests.video.faces.test_tracker import faces

FILTER = SmoothingParams("mean", 5, "linear")


def notes(detector=None, found=False, tracks=(), size=(640, 360), rate=25.0, synthetic=(), kernel="mean"):
    """The notes of ten frames in which `tracks` have been seen."""
    reader = LoadedRun("run", "", get_task("mtl"), FILTER, "", synthetic=synthetic)
    source = SimpleNamespace(kind="video", rate=rate, live=False)
    session = PredictSession(source, [SimpleNamespace(readers=(reader,))], (FILTER,), detector=detector)
    stage = PrecroppedFaces(1) if detector is None else DetectAndTrack(detector, (), rate)
    for number, seen in enumerate(tracks, 1):
        stage.tracker.update(number, seen)
    result = a_reading([(9, 9, 90, 90)], 10, rate=rate, size=size, lost=() if found else [(1, 1, 10)], kernel=kernel)
    return result_notes(session, stage, result)


@pytest.mark.parametrize(
    "smallest, size, hints",
    [
        (None, (640, 360), ["faces of at least 30 pixels", "--smallest N finds smaller ones (down to 20 pixels)"]),
        (None, (128, 128), ["faces of at least 24 pixels", "--smallest N", "use --crops"]),
        (20, (640, 360), ["faces of at least 20 pixels"]),
    ],
)
def test_hint_for_faces_that_were_not_found_is_true(smallest, size, hints):
    (note,) = notes(HaarDetector(smallest), size=size)
    assert note.startswith("no face was found") and all(hint in note for hint in hints)
    assert ("--smallest" in note) == (smallest is None) and ("--crops" in note) == (max(size) == 128)


def test_without_detection_nothing_is_said_of_faces():
    assert notes() == [] and notes(HaarDetector(), found=True) == []


def test_single_detections_are_named_instead_of_smaller_faces():
    empty = faces()
    (note,) = notes(HaarDetector(), tracks=[empty, faces((200, 200)), empty, empty, faces((500, 200))])
    assert "2 detections" in note and "smallest" not in note


def test_detector_without_a_limit_is_not_asked_for_smaller_faces():
    detector = SimpleNamespace(min_size=0, smallest_side=lambda width, height: 0, __call__=lambda *arguments: Faces)
    (note,) = notes(detector)
    assert "faces of any size were searched" in note and "--smallest" not in note


@pytest.mark.parametrize("rate, kernel, seconds", [(0.1, "mean", 100), (0.1, "trailing_mean", 50), (0.5, "mean", 20)])
def test_filter_that_spans_a_long_time_is_noted(rate, kernel, seconds):
    (note,) = notes(rate=rate, found=True, kernel=kernel)
    assert f"spans {seconds} s at {rate} frames per second" in note and "--kernel none" in note


@pytest.mark.parametrize("rate, kernel", [(25.0, "mean"), (0.1, "none"), (None, "mean")])
def test_usual_filters_are_not_noted(rate, kernel):
    assert notes(rate=rate, found=True, kernel=kernel) == []


def test_synthetic_training_is_noted():
    (note,) = notes(synthetic=("backbone", "head"))
    assert note.startswith("learned from synthetic faces") and "run run (backbone and head)" in note
