"""A video played in real time: the newest frame is processed and others are dropped, without timing assertions."""

import threading
import time
from itertools import islice

import pytest

from harness.utils.errors import InputError
from harness.video.frames import TimeLimitedSource
from harness.video.reader import VideoSource
from harness.video.realtime import RealtimeSource
from harness.video.source import open_source
from tests.helpers.video_files import film
from tests.video.test_source import photo


def test_slow_reader_gets_the_newest_frames_and_the_others_are_counted(tmp_path):
    with RealtimeSource(open_source(str(film(tmp_path / "a.mp4", 20, rate=50)))) as source:
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.07)
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers)) and numbers[0] == 1 and numbers[-1] == 20
    assert source.dropped == 20 - len(frames) > 0
    assert (source.kind, source.live, source.rate, source.frames) == ("video", True, 50, 20)


def test_frames_come_no_sooner_than_their_time(tmp_path):
    with RealtimeSource(open_source(str(film(tmp_path / "a.mp4", 12, rate=50)))) as source:
        frames = list(source)
    for frame in frames:
        assert frame.arrived - frames[0].arrived >= frame.seconds - frames[0].seconds - 5e-3


def test_pixels_and_times_are_those_of_the_source(tmp_path):
    path = film(tmp_path / "a.mp4", 8, rate=50)
    whole = {frame.number: frame for frame in open_source(str(path))}
    with RealtimeSource(open_source(str(path))) as source:
        for frame in source:
            assert frame.seconds == whole[frame.number].seconds
            assert (frame.pixels == whole[frame.number].pixels).all()


def test_reading_may_stop_early_and_leaves_no_thread(tmp_path):
    before = threading.active_count()
    with RealtimeSource(open_source(str(film(tmp_path / "a.mp4", 250)))) as source:
        assert next(iter(source)).number == 1
    assert threading.active_count() == before


def test_source_that_was_never_read_closes(tmp_path):
    with RealtimeSource(open_source(str(film(tmp_path / "a.mp4", 5)))):
        pass


class Unplugged(VideoSource):
    """A video on a drive that is pulled out after three frames."""

    def __iter__(self):
        yield from islice(super().__iter__(), 3)
        raise OSError("the drive is gone")


def test_error_of_the_source_is_raised_where_the_frames_are_read(tmp_path):
    with (
        pytest.raises(OSError, match="the drive is gone"),
        RealtimeSource(Unplugged(film(tmp_path / "a.mp4", 50))) as source,
    ):
        list(source)


def test_only_the_first_seconds_are_played(tmp_path):
    with TimeLimitedSource(RealtimeSource(open_source(str(film(tmp_path / "a.mp4", 100, rate=50)))), 0.1) as source:
        assert all(frame.seconds < 0.1 for frame in source)


def test_images_cannot_be_played(tmp_path):
    with pytest.raises(InputError, match="no frame rate.*leave out --live"):
        RealtimeSource(open_source(str(photo(tmp_path / "a.png"))))
