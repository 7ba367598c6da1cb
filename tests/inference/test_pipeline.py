"""Stages of prediction: resumed runs give the same chunks, and errors reach the consumer."""

import json

import numpy as np
import pytest

from harness.inference.chunks import ChunkStore
from harness.inference.face_stage import DetectAndTrack, FrameFaces, PrecroppedFaces
from harness.inference.pipeline import PredictPipeline
from harness.inference.prefetch import Prefetcher
from harness.utils.errors import InputError
from harness.video.faces.boxes import Margin
from harness.video.faces.detector import open_detector
from harness.video.source import open_source
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import film


def searching():
    return DetectAndTrack(open_detector("haar"), (Margin(1.0),), 12.5)


def chunks(frames, face_stage, size=8):
    return list(PredictPipeline(face_stage, (), (), size).chunks(frames))


def equal(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in ("scores", "seconds", "durations"))
        for name in one.__dataclass_fields__
        if name != "outputs"
    )


def test_interrupted_run_tracks_faces_as_an_uninterrupted_one():
    """Boxes, scores and ids depend on where the tracker expects a face, and so on all frames before."""
    path = str(shared_data() / "clips" / "intel_head-pose-female-and-male.gif")
    with open_source(path, seconds=2.2) as source:
        frames = list(source)
    uninterrupted = searching()
    whole = chunks(frames, uninterrupted)
    assert sum(len(chunk.at) for chunk in whole) > 40 and len(uninterrupted.confirmed_tracks()) == 2
    for done in (1, 3, len(whole)):
        face_stage = searching()
        for chunk in whole[:done]:
            face_stage.replay(chunk)
        rest = chunks(frames[8 * done :], face_stage)
        assert len(rest) == len(whole) - done and all(map(equal, rest, whole[done:]))
        assert face_stage.confirmed_tracks() == uninterrupted.confirmed_tracks()


def test_separate_images_are_replayed_too(tmp_path):
    def faces(number, count):
        return FrameFaces(
            number,
            float("nan"),
            (9, 9),
            np.zeros((count, 4)),
            np.zeros(count),
            np.zeros(count),
            np.arange(1, count + 1),
            np.zeros((count, 0)),
            (),
        )

    class Faces:
        def __call__(self, frame):
            return frame

    face_stage = DetectAndTrack(None, (), None)
    for chunk in chunks([faces(1, 2), faces(2, 0), faces(3, 1)], Faces(), size=2):
        face_stage.replay(chunk)
    assert face_stage.confirmed_tracks() == {1: 1, 2: 2}


def test_chunks_are_stored_and_loaded(tmp_path):
    with open_source(str(film(tmp_path / "a.mp4", 20)), crops=True) as source:
        computed = chunks(source, PrecroppedFaces(1))
    assert [len(chunk.frames) for chunk in computed] == [8, 8, 4]
    store = ChunkStore(tmp_path / "out", {"of": 1})
    for number, chunk in enumerate(computed):
        store.add(number, chunk)
    assert all(map(equal, ChunkStore(tmp_path / "out", {"of": 1}).chunks(), computed))
    (store.folder / "000001.npz").write_bytes(b"broken")
    assert len(list(store.chunks())) == 1
    assert not list(ChunkStore(tmp_path / "out", {"of": 2}).chunks())


def test_chunks_of_an_older_version_are_removed(tmp_path):
    """They have no ids of faces."""
    store = ChunkStore(tmp_path / "out", {"of": 1})
    with open_source(str(film(tmp_path / "a.mp4", 8)), crops=True) as source:
        store.add(0, *chunks(source, PrecroppedFaces(1)))
    (store.folder / "about.json").write_text(json.dumps({"format": 1, "of": 1}))
    again = ChunkStore(tmp_path / "out", {"of": 1})
    assert not list(again.folder.glob("*.npz")) and not list(again.chunks())


def test_stage_error_is_raised_in_the_consumer():
    def frames():
        raise InputError("no more")
        yield

    with pytest.raises(InputError, match="no more"):
        chunks(frames(), PrecroppedFaces(1))


def test_thread_ends_with_its_context():
    made = []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    with Prefetcher(endless(), 3) as ahead:
        taken = [item for item, _ in zip(ahead, range(5))]
    assert taken == [0, 1, 2, 3, 4] and len(made) < 20
    assert not ahead._thread.is_alive()
