"""Written videos can be read, play in browsers, and are complete or absent."""

import math

import av
import numpy as np
import pytest

from harness.utils.errors import FramelightError
from harness.video.source import open_source
from harness.video.writer import VideoWriter
from tests.helpers.video_files import colour_at, picture


def write(path, frames, rate=25.0, size=(64, 48), times=None):
    with VideoWriter(path, rate, size) as writer:
        for number, pixels in enumerate(frames):
            writer.write(pixels, math.nan if times is None else times[number])
    return path


def read(path):
    with open_source(str(path)) as source:
        return list(source), source


@pytest.mark.parametrize("size", [(64, 48), (321, 241), (63, 48), (640, 361)])
def test_what_is_written_is_read_again(tmp_path, size):
    pictures = [picture(number, *size) for number in range(8)]
    frames, source = read(write(tmp_path / "out.mp4", pictures, size=size))
    assert (len(frames), source.rate, source.notes) == (8, 25, [])
    width, height = size
    for number, frame in enumerate(frames):
        assert frame.seconds == pytest.approx(number / 25)
        assert frame.size == (width + width % 2, height + height % 2)
        assert np.abs(frame.pixels[:height, :width].astype(int) - pictures[number]).mean() < 6
        assert np.abs(frame.pixels[4:12, 4:28].astype(int) - pictures[number][4:12, 4:28]).max() < 14


def test_browsers_can_play_it_from_its_beginning(tmp_path):
    path = write(tmp_path / "out.mp4", [picture(number, 64, 48) for number in range(5)])
    with av.open(str(path)) as container:
        coding = container.streams.video[0].codec_context
        assert (coding.name, coding.pix_fmt, coding.colorspace, coding.color_range) == ("h264", "yuv420p", 1, 1)
    data = path.read_bytes()
    assert data[4:8] == b"ftyp" and data.index(b"moov") < data.index(b"mdat")


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times = [0.0, 0.04, 0.4, 0.41, 1.3]
    frames, _ = read(write(tmp_path / "out.mp4", [picture(number, 64, 48) for number in range(5)], times=times))
    assert [frame.seconds for frame in frames] == pytest.approx(times, abs=1e-3)


def test_times_that_do_not_ascend_lose_no_frame(tmp_path):
    times = [0.0, 0.04, 0.04, 0.02, math.nan]
    frames, _ = read(write(tmp_path / "out.mp4", [picture(number, 64, 48) for number in range(5)], times=times))
    assert len(frames) == 5 and np.all(np.diff([frame.seconds for frame in frames]) > 0)


def test_default_rate_is_25(tmp_path):
    frames, source = read(write(tmp_path / "out.mp4", [picture(0, 64, 48)] * 4, rate=None))
    assert source.rate == 25 and frames[-1].seconds == pytest.approx(3 / 25)


@pytest.mark.parametrize("rate", [30000 / 1001, 12.5, 7.3])
def test_uneven_rates(tmp_path, rate):
    frames, source = read(write(tmp_path / "out.mp4", [picture(0, 64, 48)] * 6, rate=rate))
    assert len(frames) == 6 and source.rate == pytest.approx(rate, rel=1e-3)


def test_frame_of_another_size_is_fitted_in(tmp_path):
    frames, _ = read(write(tmp_path / "out.mp4", [picture(0, 64, 48), picture(1, 48, 96), picture(2, 128, 96)]))
    assert {frame.size for frame in frames} == {(64, 48)}
    assert frames[1].pixels[24, 4].max() < 20 and colour_at(frames[1].pixels, 0.45, 0.8) == "red"
    assert colour_at(frames[2].pixels, 0.8, 0.8) == "green"


def test_same_frames_give_the_same_bytes(tmp_path):
    pictures = [picture(number, 64, 48) for number in range(5)]
    assert write(tmp_path / "a.mp4", pictures).read_bytes() == write(tmp_path / "b.mp4", pictures).read_bytes()


def test_failed_write_keeps_the_old_file(tmp_path):
    path = write(tmp_path / "out.mp4", [picture(0, 64, 48)] * 3)
    before = path.read_bytes()
    with pytest.raises(KeyError), VideoWriter(path, 25, (64, 48)) as writer:
        writer.write(picture(0, 64, 48))
        raise KeyError("stopped")
    assert path.read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


def test_video_without_frame_is_not_written(tmp_path):
    with pytest.raises(FramelightError, match="out.mp4: no frame was written"):
        write(tmp_path / "out.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_unwritable_path_raises(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FramelightError, match="cannot write .*out.mp4"):
        write(tmp_path / "file" / "out.mp4", [picture(0, 64, 48)])
