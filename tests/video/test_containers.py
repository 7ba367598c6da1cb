"""Times and numbers of frames of video files whose containers lack them or state wrong ones."""

import pytest

from harness.video.source import open_source
from tests.helpers.video_files import film


def read(path):
    with open_source(str(path)) as source:
        return list(source), source


@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", 0), ("libx264", 3), ("mpeg4", 0), ("mpeg4", 2)])
def test_avi_has_no_presentation_times(tmp_path, codec, b_frames):
    """FFmpeg's presentation times of AVI files are late, and for H.264 in the order of decoding."""
    path = film(tmp_path / "a.avi", 60, codec=codec, keys=20, b_frames=b_frames)
    frames, source = read(path)
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in range(60)])
    assert source.notes == []
    with open_source(str(path), seconds=2) as source:
        assert len(list(source)) == 50


def test_pause_in_an_avi_file_with_b_frames(tmp_path):
    times = [*range(0, 400, 40), *range(1000, 1800, 40)]
    frames, source = read(film(tmp_path / "a.avi", 30, times=times, b_frames=2))
    assert [frame.seconds for frame in frames[:28]] == pytest.approx([time / 1000 for time in times[:28]])
    assert source.notes == []


@pytest.mark.parametrize(
    "fragments", ["frag_keyframe", "frag_keyframe+empty_moov", "frag_keyframe+empty_moov+delay_moov"]
)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_all_fragments_are_counted(tmp_path, fragments, suffix):
    """The header of the first of them counts the frames of the first fragment only."""
    path = film(tmp_path / f"a.{suffix}", 50, keys=10, fragments=fragments)
    frames, source = read(path)
    assert len(frames) == source.frames == 50 and source.notes == []
    with open_source(str(path), seconds=1) as source:
        assert source.frames == len(list(source)) == 25
