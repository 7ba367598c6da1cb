"""Audio next to rendered frames: copied or encoded, in sync with them, and its problems noted."""

import math

import numpy as np
import pytest

from harness.video.audio import AudioTrack
from harness.video.source import open_source
from harness.video.writer import VideoWriter
from tests.helpers.video_files import MILLISECOND, clap, clapper, cut, film


def write_again(path, out, end=math.inf):
    """Write the frames of a file and its audio, as the renderer does; return why audio is missing."""
    with open_source(str(path)) as source, AudioTrack(path, end) as audio:
        with VideoWriter(out, source.rate, (64, 48), audio) as video:
            for frame in source:
                if frame.seconds < end:
                    video.write(frame.pixels, frame.seconds)
        return audio.note


@pytest.mark.parametrize(
    "name, options, codec",
    [
        ("a.mp4", {}, "aac"),
        ("mp3.mp4", {"audio": "mp3"}, "mp3"),
        ("a.ts", {}, "aac"),
        ("opus.webm", {"audio": "libopus", "codec": "libvpx"}, "opus"),
        ("pcm.mov", {"audio": "pcm_s16le"}, "aac"),
        ("mp2.mkv", {"audio": "mp2", "sampling": 44100}, "aac"),
        ("odd.mkv", {"audio": "pcm_s16le", "sampling": 37800}, "aac"),
        ("late.mkv", {"audio_start": 0.5}, "aac"),
        ("early.mkv", {"video_start": 0.7}, "aac"),
        ("late_pcm.mkv", {"audio": "pcm_s16le", "audio_start": 0.5}, "aac"),
        ("early_pcm.mkv", {"audio": "pcm_s16le", "video_start": 0.7}, "aac"),
    ],
)
def test_audio_stays_in_sync(tmp_path, name, options, codec):
    source = clapper(tmp_path / name, **options)
    assert write_again(source, tmp_path / "out.mp4") == ""
    before, (white, beep, written, end) = clap(source), clap(tmp_path / "out.mp4")
    assert written == codec and end == pytest.approx(before[3], abs=0.05)
    assert white == pytest.approx(before[0], abs=2e-3) and beep == pytest.approx(before[1], abs=5e-3)
    assert beep == pytest.approx(white, abs=0.03)


@pytest.mark.parametrize("audio", ["aac", "pcm_s16le"])
def test_audio_ends_where_the_frames_end(tmp_path, audio):
    source = clapper(tmp_path / "a.mov", audio)
    write_again(source, tmp_path / "out.mp4", end=1.4)
    white, beep, _, end = clap(tmp_path / "out.mp4")
    assert beep == pytest.approx(white, abs=0.03) and end == pytest.approx(1.4, abs=0.03)


def test_video_without_audio_has_none_and_no_note(tmp_path):
    import av

    assert write_again(film(tmp_path / "a.mp4", 5), tmp_path / "out.mp4") == ""
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_truncated_audio_is_kept_as_far_as_it_goes(tmp_path):
    source = cut(clapper(tmp_path / "a.mkv", "pcm_s16le", seconds=4), 0.6)
    assert write_again(source, tmp_path / "out.mp4") == ""
    white, beep, _, end = clap(tmp_path / "out.mp4")
    assert beep == pytest.approx(white, abs=0.03) and 1 < end < 4


def test_gap_in_the_audio_is_silence(tmp_path):
    """A second is missing in the middle; what follows is not early."""
    import av

    source = clapper(tmp_path / "a.mkv", "pcm_s16le", seconds=3)
    with av.open(str(source)) as old, av.open(str(tmp_path / "gap.mkv"), "w") as new:
        streams = {stream: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.size and not (packet.stream.type == "audio" and 0.2 < packet.pts * packet.time_base < 0.9):
                packet.stream = streams[packet.stream]
                new.mux(packet)
    write_again(tmp_path / "gap.mkv", tmp_path / "out.mp4")
    white, beep, _, end = clap(tmp_path / "out.mp4")
    assert beep == pytest.approx(white, abs=0.03) and end == pytest.approx(3, abs=0.05)


def test_audio_that_cannot_be_encoded_is_noted_and_the_video_is_written(tmp_path, monkeypatch):
    import av

    source = clapper(tmp_path / "a.mkv", "pcm_s16le")

    def broken(audio, video):
        raise av.error.EncoderNotFoundError(1, "Encoder not found")

    monkeypatch.setattr("harness.video.audio._conversion", broken)
    note = write_again(source, tmp_path / "out.mp4")
    assert "pcm_s16le" in note and "could not be kept" in note
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50


def test_frames_of_variable_rate_keep_their_times(tmp_path):
    import av

    times = [0, 40, 1000, 5000, 5040]
    write_again(film(tmp_path / "a.mkv", 5, times=times), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [float(frame.time) for frame in container.decode(video=0)] == pytest.approx(
            np.multiply(times, float(MILLISECOND))
        )
