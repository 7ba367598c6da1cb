"""Crop margins estimated from the training crops of a run."""

import json

import pytest
from PIL import Image

from harness.data import locations
from harness.data.fingerprint import dataset_digest
from harness.data.registry import open_dataset
from harness.features.crop_margins import DEFAULT_MARGIN, MIN_FACES
from harness.inference.forward import LoadedRun
from harness.inference.load_runs import crop_framings
from harness.utils.store import Store
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import open_detector
from tests.helpers import face_scenes
from tests.helpers.data_folders import EXPR, annotate

WIDE, MAX_CROPS = Margin(1.4, 0.0, 0.1), 24


class Counting:
    """The default detector, with the number of images it has processed."""

    def __init__(self):
        self.detector, self.shown = open_detector("haar"), 0
        self.name, self.identity = self.detector.name, self.detector.identity

    def __call__(self, pixels, expected_boxes=None, frame_index=None):
        self.shown += 1
        return self.detector(pixels, expected_boxes, frame_index)


@pytest.fixture(scope="module")
def detector():
    return open_detector("haar")


def make_set(root, detector, videos, each, margin=WIDE):
    people = []
    for who in range(6):
        pixels = face_scenes.frame(160, 160, [(who, 80, 80, 112)])
        people.append(crop(pixels, detector(pixels).boxes[0], margin, 112))
    for number in range(videos):
        folder = root / "cropped" / f"video{number}"
        folder.mkdir(parents=True)
        for frame in range(1, each + 1):
            Image.fromarray(people[(number + frame) % 6]).save(folder / f"{frame:05}.png")
        annotate(root, EXPR, "Validation_Set" if number % 2 else "Train_Set", f"video{number}", [0] * each)
    return dataset_digest(open_dataset(root))


def reader(images="", margin=None):
    return LoadedRun("abc-s0", "", None, None, "", images=images, margin=margin)


@pytest.mark.parametrize("videos, each", [(4, 9), (2, 9), (28, 2)])
def test_margin_is_estimated_once(tmp_path, detector, videos, each, logged, monkeypatch):
    monkeypatch.setattr("harness.features.crop_margins.MAX_CROPS", MAX_CROPS)
    images, seen = make_set(tmp_path / "data", detector, videos, each), Counting()
    locations.set_location(Store(tmp_path), images, tmp_path / "data")
    first = crop_framings([reader(images)], seen, Store(tmp_path), None)
    assert seen.shown == min(MAX_CROPS, videos * each)
    if videos * each >= MIN_FACES:
        assert first[0].scale == pytest.approx(WIDE.scale, abs=0.06)
        assert first[0].dy == pytest.approx(WIDE.dy, abs=0.04)
    else:
        assert first == [DEFAULT_MARGIN] and "few faces are detected" in logged[-1]
    assert crop_framings([reader(images)], seen, Store(tmp_path), None) == first
    assert seen.shown == min(MAX_CROPS, videos * each)


def test_missing_or_changed_crops_give_no_margin(tmp_path, detector, logged):
    images = make_set(tmp_path / "data", detector, 2, 12)
    assert crop_framings([reader(images)], detector, Store(tmp_path), None) == [DEFAULT_MARGIN]
    locations.set_location(Store(tmp_path), images, tmp_path / "data")
    (tmp_path / "data" / "cropped" / "video0" / "00001.png").unlink()
    assert crop_framings([reader(images), reader()], detector, Store(tmp_path), None) == [DEFAULT_MARGIN] * 2
    assert len(logged) == 3 and all("are not available" in line and "--margin X" in line for line in logged)
    assert not (Store(tmp_path).crop_margins).exists()


def test_known_or_given_margin_is_not_estimated(tmp_path, detector):
    own, seen = Margin(1.2, 0.1, 0.05), Counting()
    assert crop_framings([reader(margin=own)], seen, Store(tmp_path), None) == [own]
    assert crop_framings([reader(margin=own), reader()], seen, Store(tmp_path), 1.5) == [Margin(1.5)] * 2
    assert seen.shown == 0


def test_damaged_cache_is_rewritten(tmp_path, detector, monkeypatch):
    monkeypatch.setattr("harness.features.crop_margins.MIN_FACES", 4)
    images = make_set(tmp_path / "data", detector, 2, 4)
    locations.set_location(Store(tmp_path), images, tmp_path / "data")
    note = Store(tmp_path).crop_margins
    first = crop_framings([reader(images)], detector, Store(tmp_path), None)
    note.write_text("[]")
    assert crop_framings([reader(images)], detector, Store(tmp_path), None) == first
    assert list(json.loads(note.read_text()).values()) == [[first[0].scale, first[0].dx, first[0].dy]]
