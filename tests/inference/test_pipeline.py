"""The stages of reading: the same pieces wherever a run had stopped, and errors where they are heard."""

import numpy as np
import pytest

from harness.inference.chunks import ChunkStore
from harness.inference.face_stage import DetectAndTrack, PrecroppedFaces
from harness.inference.pipeline import Pipeline
from harness.inference.prefetch import Prefetcher
from harness.utils.errors import InputError
from harness.video.faces.boxes import Margin
from harness.video.faces.detector import open_detector
from harness.video.source import open_source
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import film


def searching():
    return DetectAndTrack(open_detector("haar"), (Margin(1.0),), 12.5)


def pieces(frames, looker, size=8):
    return list(Pipeline(looker, (), (), size).pieces(frames))


def equal(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in ("scores", "seconds"))
               for name in one.__dataclass_fields__ if name != "outputs")


def test_faces_are_followed_on_from_kept_pieces_as_without_a_stop():
    """Boxes and scores depend on where the tracker expects a face, and so on all frames before."""
    path = str(shared_data() / "clips" / "intel_head-pose-female-and-male.gif")
    with open_source(path, seconds=2.2) as source:
        frames = list(source)
    whole = pieces(frames, searching())
    assert sum(len(piece.at) for piece in whole) > 40
    for done in (1, 3):
        looker = searching()
        ids = [looker.recall(piece) for piece in whole[:done]]
        rest = pieces(frames[8 * done:], looker)
        assert len(rest) == len(whole) - done and all(map(equal, rest, whole[done:]))
        again = searching()
        known = [again.recall(piece) for piece in whole]
        assert np.array_equal(np.concatenate(known[:done]), np.concatenate(ids))
        assert again.confirmed_tracks() == looker.confirmed_tracks() and len(again.confirmed_tracks()) == 2


def test_pieces_are_kept_and_found_again(tmp_path):
    with open_source(str(film(tmp_path / "a.mp4", 20)), crops=True) as source:
        made = pieces(source, PrecroppedFaces(1))
    assert [len(piece.frames) for piece in made] == [8, 8, 4]
    kept = ChunkStore(tmp_path / "out", {"of": 1})
    for number, piece in enumerate(made):
        kept.add(number, piece)
    assert all(map(equal, ChunkStore(tmp_path / "out", {"of": 1}).pieces(), made))
    (kept.folder / "000001.npz").write_bytes(b"broken")
    assert len(list(kept.pieces())) == 1
    assert not list(ChunkStore(tmp_path / "out", {"of": 2}).pieces())


def test_what_fails_in_a_stage_is_raised_where_pieces_are_taken():
    def frames():
        raise InputError("no more")
        yield

    with pytest.raises(InputError, match="no more"):
        pieces(frames(), PrecroppedFaces(1))


def test_a_thread_ends_with_its_context_however_much_was_left():
    made = []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    with Prefetcher(endless(), 3) as ahead:
        taken = [item for item, _ in zip(ahead, range(5))]
    assert taken == [0, 1, 2, 3, 4] and len(made) < 20
    assert not ahead._thread.is_alive()
