"""Frames of real video files: pixels, times and faults."""

import threading
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest

from harness.utils.errors import InputError
from harness.video.source import open_source
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import colour_at, cut, film, picture, sound


def read(path):
    with open_source(str(path)) as source:
        return list(source), source


def test_frames_are_numbered_from_1_timed_and_rgb(tmp_path):
    frames, source = read(film(tmp_path / "a.mp4", 12))
    assert (source.kind, source.rate, source.frames, source.live, source.notes) == ("video", 25, 12, False, [])
    assert [frame.number for frame in frames] == list(range(1, 13))
    assert [frame.seconds for frame in frames] == [pytest.approx(n / 25) for n in range(12)]
    for number, frame in enumerate(frames):
        assert frame.pixels.shape == (48, 64, 3) and frame.pixels.dtype == np.uint8 and frame.size == (64, 48)
        assert frame.pixels.flags.c_contiguous
        inside = np.s_[4:12, 4:28]  # colours bleed over edges
        assert np.abs(frame.pixels[inside].astype(int) - picture(number, 64, 48)[inside]).max() < 12


@pytest.mark.parametrize(
    ("clip", "frames", "rate", "size"),
    [
        ("grid_bbaf2n.mpg", 75, 25, (360, 288)),
        ("grid_lbax4n.mpg", 75, 25, (360, 288)),
        ("grid_pwij3p.mpg", 75, 25, (360, 288)),
        ("grid_sbia1a.mpg", 75, 25, (360, 288)),
        ("grid_swiz3n.mpg", 75, 25, (360, 288)),
        ("pyfeat_single_face.mp4", 72, 30, (640, 360)),
        ("intel_head-pose-female.gif", 23, 12.5, (480, 270)),
        ("intel_head-pose-female-and-male.gif", 56, 12.5, (480, 270)),
    ],
)
def test_real_clips_are_read_without_notes(clip, frames, rate, size):
    read_frames, source = read(shared_data() / "clips" / clip)
    assert len(read_frames) == source.frames == frames
    assert (source.rate, source.notes, {frame.size for frame in read_frames}) == (rate, [], {size})
    assert np.all(np.diff([frame.seconds for frame in read_frames]) > 0) and read_frames[0].seconds == 0


def test_pixels_are_those_that_opencv_decodes(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = film(tmp_path / "a.mp4", 8, 322, 240)
    capture = cv2.VideoCapture(str(path))
    for frame in read(path)[0]:
        there, pixels = capture.read()
        assert there and np.abs(frame.pixels.astype(int) - pixels[..., ::-1]).mean() < 2
    assert not capture.read()[0]


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_times_of_a_variable_frame_rate_are_kept(tmp_path, ending):
    times = [0, 40, 80, 400, 410, 1000, 1033, 1500]
    frames, source = read(film(tmp_path / f"a.{ending}", 8, times=times))
    assert [frame.seconds for frame in frames] == pytest.approx([time / 1000 for time in times], abs=1e-3)
    assert source.notes == []


def test_time_starts_with_the_file_even_where_its_stamps_do_not(tmp_path):
    frames, _ = read(film(tmp_path / "a.ts", 10))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in range(10)], abs=1e-4)
    assert str(frames[0].seconds) == "0.0"


def test_without_time_stamps_the_rate_gives_the_time_and_a_note_says_so(tmp_path):
    frames, source = read(film(tmp_path / "a.h264", 10))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in range(10)])
    assert len(source.notes) == 1 and "10 of 10 frames" in source.notes[0] and "25 frames per second" in source.notes[0]


@pytest.mark.parametrize("rotation", [0, 90, -90, 180])
def test_rotation_named_in_the_file_is_respected_as_opencv_does(tmp_path, rotation):
    cv2 = pytest.importorskip("cv2")
    path = film(tmp_path / "a.mp4", 3, rotation=rotation)
    there, pixels = cv2.VideoCapture(str(path)).read()
    frame = read(path)[0][-1]
    assert there and frame.pixels.shape == pixels.shape == ((64, 48, 3) if rotation in (90, -90) else (48, 64, 3))
    assert np.abs(frame.pixels.astype(int) - pixels[..., ::-1]).mean() < 4
    blue = {0: (0.5, 0.1), 90: (0.1, 0.5), -90: (0.9, 0.5), 180: (0.5, 0.9)}[rotation]
    assert colour_at(frame.pixels, *blue) == "blue"


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "png", "rgba"),
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "libx264", "yuv420p10le"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.avi", "mjpeg", "yuvj420p"),
    ],
)
def test_alpha_is_dropped_and_other_pixels_become_rgb(tmp_path, name, codec, pix_fmt):
    frames, source = read(film(tmp_path / name, 5, codec=codec, pix_fmt=pix_fmt))
    assert [frame.pixels.shape for frame in frames] == [(48, 64, 3)] * 5 and source.notes == []
    if pix_fmt != "gray":
        assert [colour_at(frames[0].pixels, *at) for at in ((0.2, 0.8), (0.8, 0.8), (0.5, 0.1))] == [
            "red",
            "green",
            "blue",
        ]


def test_odd_dimensions_and_a_single_frame(tmp_path):
    frames, source = read(film(tmp_path / "a.mp4", 1, 321, 241, pix_fmt="yuv444p"))
    assert [frame.pixels.shape for frame in frames] == [(241, 321, 3)]
    assert (source.frames, source.notes) == (1, [])


def test_frames_keep_their_changing_size(tmp_path):
    both = tmp_path / "both.h264"
    both.write_bytes(film(tmp_path / "a.h264", 10).read_bytes() + film(tmp_path / "b.h264", 7, 32, 80).read_bytes())
    frames, source = read(both)
    assert [frame.size for frame in frames] == [(64, 48)] * 10 + [(32, 80)] * 7
    assert [frame.number for frame in frames] == list(range(1, 18))
    assert "the frame size changes at frame 11 (0.40 s), from 64x48 to 32x80 pixels" in source.notes[0]


def test_non_square_pixels_are_resampled(tmp_path):
    frames, _ = read(film(tmp_path / "a.mp4", 2, 64, 48, shape=Fraction(3, 2)))
    assert frames[0].size == (96, 48)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "share"),
    [
        ("a.mp4", "mpeg4", "yuv420p", 0.6),
        ("a.mkv", "mpeg4", "yuv420p", 0.6),
        ("a.avi", "mpeg4", "yuv420p", 0.6),
        ("a.avi", "mjpeg", "yuvj420p", 0.6),
        ("a.avi", "png", "rgb24", 0.6),
        ("a.gif", "gif", "rgb8", 0.6),
        ("a.avi", "mpeg4", "yuv420p", 0.95),
    ],
)
def test_truncated_video_is_read_with_a_note(tmp_path, name, codec, pix_fmt, share):
    path = film(tmp_path / name, 100, 320, 240, codec, pix_fmt, keys=5, fast=name == "a.mp4")
    whole, _ = read(path)
    frames, source = read(cut(path, share))
    assert 30 < len(frames) <= 98
    for frame, before in zip(frames[:-1], whole):
        assert frame.seconds == before.seconds and np.array_equal(frame.pixels, before.pixels)
    assert len(source.notes) == 1
    assert f"is truncated after frame {len(frames)} ({frames[-1].seconds:.2f} s)" in source.notes[0]


def test_video_whose_index_was_cut_off_raises_with_the_reason(tmp_path):
    with pytest.raises(InputError, match="a.mp4: cannot be read as a video .*or its end, which holds"):
        open_source(str(cut(film(tmp_path / "a.mp4", 50), 0.6)))


def test_frames_after_damage_are_read_with_a_note(tmp_path):
    path = film(tmp_path / "a.mov", 40, codec="png", pix_fmt="rgb24")
    data = bytearray(path.read_bytes())
    second = data.find(b"\x89PNG", data.find(b"\x89PNG") + 1)
    data[second : second + 60] = bytes(60)
    path.write_bytes(data)
    frames, source = read(path)
    assert len(frames) == 39 and frames[-1].seconds == pytest.approx(39 / 25)
    assert "1 damaged part of the file could not be decoded" in source.notes[0]


def test_longer_audio_track_is_ignored(tmp_path):
    frames, source = read(sound(tmp_path / "a.mp4", film_seconds=0.4))
    assert len(frames) == source.frames == 10 and source.notes == []


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a"])
def test_audio_file_raises(tmp_path, name):
    with pytest.raises(InputError, match="no video stream to read .it contains audio.; give a video"):
        open_source(str(sound(tmp_path / name)))


def test_album_cover_raises(tmp_path):
    with pytest.raises(InputError, match="no video stream to read .it contains audio, video."):
        open_source(str(sound(tmp_path / "a.mp3", cover=True)))


@pytest.mark.parametrize("content", [b"", b"only some words\n" * 50, b"\x00" * 5000])
@pytest.mark.parametrize("name", ["a.mp4", "a.txt"])
def test_invalid_video_is_rejected(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: (cannot be read as a video|has no video stream|no frame)"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.mp4"])
def test_video_without_frame_raises(tmp_path, name):
    with pytest.raises(InputError, match=f"{name}: (no frame of this video can be decoded|cannot be read)"):
        open_source(str(film(tmp_path / name, 0)))


def test_names_with_colons_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "at 10:30 é.mp4", 3)
    assert len(read("at 10:30 é.mp4")[0]) == 3


def test_frames_are_read_lazily(tmp_path):
    with open_source(str(film(tmp_path / "a.mp4", 50))) as source:
        first = [frame.number for frame in islice(source, 3)]
        again = iter(source)
        assert next(again).number == 4
    assert first == [1, 2, 3] and list(again) == []


def test_video_closed_while_another_thread_reads_it_ends(tmp_path):
    source = open_source(str(film(tmp_path / "a.mp4", 400)))
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(frame.number for frame in source))
    reader.start()
    with source:
        pass
    reader.join(600)
    assert not reader.is_alive() and seen == list(range(1, len(seen) + 1))


@pytest.mark.benchmark
def test_decoding_speed(tmp_path):
    import time

    path = film(tmp_path / "a.mp4", 600, 640, 360)
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        frames = sum(1 for _ in open_source(str(path)))
        best = max(best, frames / (time.perf_counter() - began))
    assert best > 1000


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_metadata_that_is_not_utf8_is_no_error(tmp_path, suffix):
    """A title in Latin-1, as old cameras write it."""
    from harness.video.video_files import frame_count

    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "CafeCafeCafe"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, 64, 48), format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert b"CafeCafeCafe" in data
    path.write_bytes(data.replace(b"CafeCafeCafe", b"Caf\xe9Caf\xe9Caf\xe9"))
    frames, source = read(path)
    assert len(frames) == 5 and source.frames in (5, None) and frame_count(path) == 5


def test_large_frames_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.video.container.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match="frames of 64 x 48 pixels; videos of at most 3,071 pixels are read"):
        read(film(tmp_path / "a.mp4", 2))
