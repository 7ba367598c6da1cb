"""Benchmark of `framelight predict` on a video of 640x360 pixels with one face, against its slowest stage alone."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.processors import available_processors
from harness.bench.figure import Measurement, interleave_rounds

if TYPE_CHECKING:
    from harness.inference.face_stage import FaceStage, FrameFaces
    from harness.inference.forward import SharedBackbonePass
    from harness.video.faces.detector_protocol import Detector
    from harness.video.frames import Frame

logger = logging.getLogger(__name__)

BACKBONE = "mobilenet_v4_small"
WIDTH, HEIGHT, RATE, FRAMES, RENDERED_FRAMES, FACE = 640, 360, 25, 200, 40, 160
MAX_FRAME_MS, MIN_RATIO = 1000 / RATE, 0.8
"""Largest allowed time per frame, and required speed as a share of the speed of the slowest stage alone."""
WORKLOAD_CROPS = 100_000
"""Number of crops for which the engine is selected."""
ROUNDS = 3


def measure() -> Iterator[Measurement]:
    """Compare the whole pipeline with the slowest of its stages alone: decoding, detection or network."""
    from harness.video.faces.detector import open_detector

    forward, detector = open_forward_pass(), open_detector("haar")
    with tempfile.TemporaryDirectory() as folder:
        path = render_video(Path(folder))
        frames = decode_frames(path)
        seen = [faces for faces in find_faces(detector, frames) if len(faces.ids)]
        logger.info(
            f"{BACKBONE}: a video of {FRAMES} frames, a face found in {len(seen)} of them, with {forward.engine.name}"
        )
        crops = [faces.crops[0][0] for faces in seen]

        times = interleave_rounds(
            {
                "whole": lambda: run_pipeline(path, detector, forward),
                "decoding": lambda: decode_frames(path),
                "detection": lambda: find_faces(detector, frames),
                "network": lambda: _run_forward_passes(forward, crops),
            },
            ROUNDS,
        )
    stages = {name: times.median(name) * 1000 / FRAMES for name in ("decoding", "detection", "network")}
    slowest = max(stages, key=lambda name: stages[name])
    stage_times = ", ".join(f"{name} {value:.2f}" for name, value in stages.items())
    yield Measurement(
        "predict 640x360",
        f"a video with {BACKBONE}, with face detection and tracking",
        times.median("whole") * 1000 / FRAMES,
        "ms per frame",
        f"{slowest} alone",
        stages[slowest],
        times.ratio("whole", slowest),
        MIN_RATIO,
        MAX_FRAME_MS,
        note=f"{1 / times.median('whole') * FRAMES:.0f} frames per second; stages alone: {stage_times} ms per frame",
    )


def open_forward_pass() -> SharedBackbonePass:
    """Open the backbone with random weights; heads are left out, as their cost is negligible."""
    import backbones
    from backbones.engines.selection import open_engine, select_engine
    from harness.bench.forward import engine_cache_dir
    from harness.features.pipeline import batch_size, engine_batch_size
    from harness.inference.forward import SharedBackbonePass

    workers, backbone = available_processors(), backbones.build(BACKBONE)
    preprocessing = backbone.spec.preprocessing
    name = select_engine(backbone, engine_cache_dir(), batch_size(preprocessing), workers, WORKLOAD_CROPS)
    size = engine_batch_size(name, preprocessing)
    engine = open_engine(name, backbone, engine_cache_dir(), size)
    return SharedBackbonePass(backbone, engine, (), size, workers if engine.concurrent else 1)


def render_video(folder: Path) -> Path:
    """Render a video of a synthetic face that moves in front of a gray background."""
    from harness.video.writer import VideoWriter

    faces = render_faces(folder)
    with VideoWriter(folder / "film.mp4", RATE, (WIDTH, HEIGHT)) as video:
        for number in range(FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            left, top = int(220 + 60 * np.sin(number / 20)), int(90 + 30 * np.sin(number / 13))
            paste(pixels, faces[number % len(faces)], (left, top), FACE)
            video.write(pixels)
    return folder / "film.mp4"


def render_faces(folder: Path) -> list[np.ndarray]:
    """Render a synthetic video into a folder and return its face crops, square uint8 RGB images."""
    from harness.data.image_decoding import decode_image
    from harness.data.registry import open_dataset
    from harness.data.synthetic import make

    make(folder / "drawn", videos=14, frames=RENDERED_FRAMES, seed=3, stills=0)
    sequences = open_dataset(folder / "drawn").sequences
    return [decode_image(path) for path in max((sequences[name].images for name in sorted(sequences)), key=len)]


def paste(pixels: np.ndarray, face: np.ndarray, corner: tuple[int, int], side: int) -> None:
    """Resize a face to `side` pixels and paste it into a frame; `corner` is its (left, top) position."""
    from PIL import Image

    left, top = corner
    pixels[top : top + side, left : left + side] = np.asarray(Image.fromarray(face).resize((side, side)))


def run_pipeline(path: Path, detector: Detector, forward: SharedBackbonePass) -> None:
    """Run the whole pipeline over a video: decoding, detection, tracking and network."""
    from harness.inference.pipeline import PredictPipeline
    from harness.video.source import open_source

    with open_source(str(path)) as source:
        for _ in PredictPipeline(_make_face_stage(detector), (forward,), (0,)).chunks(source):
            pass


def find_faces(detector: Detector, frames: list[Frame]) -> list[FrameFaces]:
    """Detect and track the faces of a video."""
    return list(map(_make_face_stage(detector), frames))


def decode_frames(path: Path) -> list[Frame]:
    """Decode a video."""
    from harness.video.source import open_source

    with open_source(str(path)) as source:
        return list(source)


def _make_face_stage(detector: Detector) -> FaceStage:
    from harness.inference.face_stage import DetectAndTrack
    from harness.video.faces.boxes import Margin

    return DetectAndTrack(detector, (Margin(1.0),), RATE)


def _run_forward_passes(forward: SharedBackbonePass, crops: list[np.ndarray]) -> None:
    import torch

    batches = [crops[start : start + forward.size] for start in range(0, len(crops), forward.size)]
    with ThreadPoolExecutor(forward.workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(forward, batches))
