"""Real video files of every kind, made with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECOND = Fraction(1, 1000)


def picture(number: int, width: int, height: int) -> np.ndarray:
    """Red left, green right, the upper third blue; brighter from frame to frame."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = 200, 20, 20
    pixels[:, width // 2 :] = 20, 200, 20
    pixels[: height // 3] = 20, 20, 120 + 5 * number % 120
    return pixels


def film(
    path: Path,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    times: list[int] | None = None,
    rotation: int | None = None,
    keys: int | None = None,
    format: str | None = None,
    fast: bool = False,
    fragments: str = "",
    shape: Fraction | None = None,
    b_frames: int | None = None,
) -> Path:
    """times: of the frames in milliseconds; rotation: degrees named in the container; keys: frames between two key
    frames; fast: the index of the frames stands first; fragments: options of MP4 files with an index for each
    fragment; shape: width of a pixel in heights; b_frames: most frames in a row that are shown before the frame that
    they follow in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = "+faststart" * fast + fragments
    options = {"movflags": flags} if flags else {}
    with av.open(str(path), "w", format=format, container_options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if shape is not None:
            stream.codec_context.sample_aspect_ratio = shape
        if keys is not None:
            stream.codec_context.gop_size = keys
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = MILLISECOND
        container.start_encoding()
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def encode(path: Path, frames: list[np.ndarray], rate: int = 25) -> Path:
    """A film of RGB pictures of one even size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def sound(path: Path, cover: bool = False, film_seconds: float = 0) -> Path:
    """A second of sound, with the picture of an album or a short film beside it."""
    with av.open(str(path), "w") as container:
        tone = container.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=44100)
        tone.layout = "mono"
        seen = None
        if cover or film_seconds:
            seen = container.add_stream("mjpeg" if cover else "libx264", rate=25)
            seen.width, seen.height, seen.pix_fmt = 64, 48, "yuvj420p" if cover else "yuv420p"
            if cover:
                seen.disposition = av.stream.Disposition.attached_pic
        for number in range(1 if cover else round(25 * film_seconds)):
            container.mux(seen.encode(av.VideoFrame.from_ndarray(picture(number, 64, 48), format="rgb24")))
        if seen is not None:
            container.mux(seen.encode(None))
        size = 1152 if path.suffix == ".mp3" else 1024
        for start in range(0, 44100, size):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(tone.encode(frame))
        container.mux(tone.encode(None))
    return path


def clapper(
    path: Path,
    audio: str = "aac",
    codec: str = "libx264",
    sampling: int = 48000,
    video_start: float = 0,
    audio_start: float = 0,
    seconds: float = 2.0,
) -> Path:
    """A film of 25 frames a second whose frame at 1 s is white, with a beep at its time; starts in seconds."""
    packets = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        tone = container.add_stream(audio, sampling)
        tone.layout = "mono"
        for number in range(round(25 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255 * (number == 25), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * (number / 25 + video_start)), MILLISECOND
            packets += stream.encode(frame)
        samples = np.zeros(round(sampling * seconds), np.float32)
        beep = round(sampling * (1 + video_start - audio_start))
        samples[beep : beep + sampling // 50] = 0.9 * np.sin(0.3 * np.arange(sampling // 50))
        convert = av.AudioResampler(
            tone.codec_context.format.name, "mono", sampling, tone.codec_context.frame_size or 1024
        )
        sound = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = sampling, round(sampling * audio_start), Fraction(1, sampling)
        for part in [*convert.resample(sound), *convert.resample(None)]:
            packets += tone.encode(part)
        packets += [*stream.encode(None), *tone.encode(None)]
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return path


def clap(path: Path) -> tuple[float, float, str, float]:
    """Times of the white frame and of the beep, codec and end of the audio, in seconds from the start of the file."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        white = next(
            (frame.time - start for frame in container.decode(video=0) if frame.to_ndarray(format="gray").mean() > 99),
            np.nan,
        )
    with av.open(str(path)) as container:
        codec, beep, end = container.streams.audio[0].codec_context.codec.canonical_name, np.nan, 0.0
        for frame in container.decode(audio=0):
            values = frame.to_ndarray().ravel()
            loud = np.flatnonzero(
                np.abs(values) > 0.3 * (1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max)
            )
            end = frame.time - start + frame.samples / frame.sample_rate
            if len(loud) and np.isnan(beep):
                beep = frame.time - start + loud[0] / frame.sample_rate
    return white, beep, codec, end


def cut(path: Path, share: float) -> Path:
    """The file broken off, as by a download that ended early."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def colour_at(pixels: np.ndarray, x: float, y: float) -> str:
    """Which colour is strongest at a place given in shares of width and height."""
    height, width = pixels.shape[:2]
    return ("red", "green", "blue")[int(pixels[int(y * height), int(x * width)].argmax())]
