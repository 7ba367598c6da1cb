"""One synthetic video, determined by (seed, index): facial behavior, crops and annotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg

from harness.data.synthetic.acting import Acting
from harness.data.synthetic.camera import (
    apply_camera_effects,
    sample_background,
    sample_camera_effects,
    sample_occluders,
    sample_scene,
)
from harness.data.synthetic.person import Identity, sample_identity
from harness.data.synthetic.render import render_faces
from harness.data.synthetic.settings import SyntheticVideos
from harness.data.synthetic.styles import VIDEO_STYLES, VideoStyle

BATCH_SIZE = 8
SPLIT_LETTERS = "TVTXTTVTTVTXTVTTXTVT"
"""Split of video i: T train, V validation, X test; 12, 5 and 3 of every 20 videos."""
VIDEO_SEED, STILL_SEED = 1, 2
"""Parts of the random seeds. They differ so that videos and still images show different people."""


@dataclass(frozen=True, eq=False)
class VideoAnnotations:
    """Annotations of one video, with invalid labels marked as in the challenge.

    Attributes
    ----------
    name : str
    crops : int64 array
        Frames that have a crop, 1-based.
    expression : int64 array of shape (L,)
        L is the number of frames, or one more in some videos.
    affect : float64 array of shape (L, 2)
        Valence and arousal.
    action_units : int64 array of shape (L, 12)
    """

    name: str
    crops: np.ndarray
    expression: np.ndarray
    affect: np.ndarray
    action_units: np.ndarray


def split_letter(index: int) -> str:
    """Return the split of video `index`: T, V or X; see `SPLIT_LETTERS`."""
    return SPLIT_LETTERS[index % len(SPLIT_LETTERS)]


def video_name(index: int) -> str:
    """Return the name of video `index`, as in Aff-Wild2; indices 4 and 5 of every 20 are two people of one video."""
    place = index % len(SPLIT_LETTERS)
    if place in (4, 5):
        return f"{index - place + 5}-30-640x480_{'left' if place == 4 else 'right'}"
    base = f"video{index + 1}" if place % 3 == 0 else f"{index + 1}-30-640x480"
    return base + {9: "_left", 13: "_right"}.get(place, "")


def _plan_expressions(style: VideoStyle, seed: int, index: int, frames: int) -> list[str]:
    """Return the expressions of a video. Their order continues that of the previous video of the same split."""
    rank = sum(split_letter(i) == split_letter(index) for i in range(index % len(SPLIT_LETTERS)))
    rank += index // len(SPLIT_LETTERS) * SPLIT_LETTERS.count(split_letter(index))
    order, count = np.random.default_rng((seed, 0)).permutation(len(style.episodes)), style.episode_count(frames)
    return [style.episodes[order[(rank * count + i) % len(order)]] for i in range(count)]


def _random_runs(rng: np.random.Generator, length: int, count: float, longest: int) -> np.ndarray:
    """Return a bool mask (length,) of a few random runs of frames."""
    marked = np.zeros(length, bool)
    for _ in range(rng.poisson(count)):
        start = rng.integers(length)
        marked[start : start + rng.integers(1, longest + 1)] = True
    return marked


def _make_annotations(rng: np.random.Generator, index: int, acting: Acting) -> VideoAnnotations:
    length = len(acting.blink)
    extra = int(rng.random() < 0.2)
    hold = np.minimum(np.arange(length + extra), length - 1)
    expression, affect, units = acting.expression[hold], acting.affect[hold], acting.labels[hold]
    expression = np.where(_random_runs(rng, len(hold), length / 150, 8), -1, expression)
    affect = np.where(_random_runs(rng, len(hold), length / 200, 5)[:, None], -5.0, np.round(affect, 3))
    units[_random_runs(rng, len(hold), length / 200, 5)] = -1
    units[rng.random(units.shape) < 0.0005] = -1
    missing = (rng.random(length) < 0.005) | _random_runs(rng, length, length / 400, 6)
    missing[0] &= length > 1
    crops = np.flatnonzero(~missing) + 1
    return VideoAnnotations(video_name(index), crops, expression, affect, units)


def _write_crops(
    settings: SyntheticVideos, index: int, identity: Identity, acting: Acting, crops: np.ndarray, folder: Path
) -> None:
    seed, conditions = settings.seed, VIDEO_STYLES[settings.style].conditions
    rng = np.random.default_rng((seed, VIDEO_SEED, index, 3))
    camera = sample_camera_effects(rng, conditions)
    scene, background = sample_scene(rng, acting, conditions), sample_background(rng)
    hidden = sample_occluders(rng, len(scene), camera.occlusion)
    folder.mkdir(parents=True)
    for start in range(0, len(crops), BATCH_SIZE):
        rows = crops[start : start + BATCH_SIZE] - 1
        light = render_faces(identity, scene.take(rows), background)
        for i, row in enumerate(rows):
            frame_rng = np.random.default_rng((seed, VIDEO_SEED, index, 4, int(row)))
            image = apply_camera_effects(frame_rng, camera, light[:, i], hidden[row])
            data = simplejpeg.encode_jpeg(image, quality=camera.quality, colorspace="RGB", colorsubsampling="420")
            (folder / f"{row + 1:05d}.jpg").write_bytes(data)


def video_identity(seed: int, index: int) -> Identity:
    """Return the appearance of the person in video `index`."""
    return sample_identity(np.random.default_rng((seed, VIDEO_SEED, index, 1)))


def write_video(root: Path, settings: SyntheticVideos, index: int) -> VideoAnnotations:
    """Write the crops of a video to root/cropped_aligned and return its annotations.

    Parameters
    ----------
    root : Path
    settings : SyntheticVideos
    index : int
        Number of the video.

    Returns
    -------
    VideoAnnotations
    """
    seed, frames, style = settings.seed, settings.frames, VIDEO_STYLES[settings.style]
    rng, identity = np.random.default_rng((seed, VIDEO_SEED, index, 2)), video_identity(seed, index)
    expressions = _plan_expressions(style, seed, index, frames)
    acting = style.simulate(rng, frames, expressions, identity.expressiveness)
    annotations = _make_annotations(rng, index, acting)
    _write_crops(settings, index, identity, acting, annotations.crops, root / "cropped_aligned" / annotations.name)
    return annotations
