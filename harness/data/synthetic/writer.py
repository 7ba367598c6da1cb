"""Writer of synthetic datasets; they are written to a temporary folder that is renamed when complete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.data.synthetic import NOTE, VERSION
from harness.data.synthetic.annotation_files import write_annotations
from harness.data.synthetic.settings import GENERIC, SyntheticStills, SyntheticVideos
from harness.data.synthetic.stills import HEADER, write_subject
from harness.data.synthetic.video import VideoAnnotations, split_letter, write_video
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir
from harness.utils.finished_output import holds_request, request_hash, write_note
from harness.utils.worker_pool import WorkerPool

logger = logging.getLogger(__name__)

MIN_VIDEOS = 4
ProgressCallback = Callable[[int, int], None]


def _is_finished(root: Path, parameters: dict[str, Any]) -> bool:
    """Return whether a folder already contains the same dataset; raise InputError if it has other content."""
    if (root.is_symlink() or root.exists()) and not root.is_dir():
        raise InputError(f"{root} is a file or a broken link; choose a new folder for the synthetic dataset")
    if not root.is_dir() or not any(root.iterdir()):
        return False
    if not holds_request(root, NOTE, _request(parameters)):
        raise InputError(f"{root} is not empty; choose a new folder for the synthetic dataset")
    logger.info(f"{root} contains this dataset already")
    return True


def _request(parameters: dict[str, Any]) -> str:
    return request_hash("data make", renderer=VERSION, **parameters)


def _style_parameter(style: str) -> dict[str, str]:
    """Return the style as a parameter; none if it is generic, so that datasets made before styles keep their hash."""
    return {} if style == GENERIC else {"style": style}


def _require_at_least(name: str, value: int, minimum: int, reason: str = "") -> None:
    if value < minimum:
        raise InputError(f"{name} is {value}; the synthetic dataset needs at least {minimum}{reason}")


def _parallel_map(work: Callable[[int], Any], count: int, workers: int) -> Iterator[Any]:
    """Yield work(0), ..., work(count - 1) in order, computed by `workers` processes."""
    if workers <= 1:
        yield from map(work, range(count))
        return
    with WorkerPool(workers, preload=[__name__]) as pool:
        yield from pool.map(work, range(count))


def _write_settings(root: Path, parameters: dict[str, Any]) -> None:
    record = {"generator": "framelight synthetic", "version": VERSION, **parameters}
    write_note(root, NOTE, record, _request(parameters))


def _write_stills(root: Path, settings: SyntheticStills, workers: int, tick: Callable[[int], None]) -> None:
    (root / "images").mkdir(parents=True)
    rows = []
    for part in _parallel_map(partial(write_subject, root, settings), settings.identities, workers):
        rows += part
        tick(len(part))
    (root / "labels.csv").write_text("\n".join([",".join(HEADER), *rows]) + "\n", encoding="utf-8")


def _write_videos(root: Path, settings: SyntheticVideos, workers: int, tick: Callable[[int], None]) -> None:
    annotations: list[tuple[str, VideoAnnotations]] = []
    for index, video in enumerate(_parallel_map(partial(write_video, root, settings), settings.videos, workers)):
        annotations.append((split_letter(index), video))
        tick(settings.frames)
    write_annotations(root, annotations)


def _make_counter(progress: ProgressCallback | None, total: int) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return advance


def make_stills(  # noqa: PLR0913 - one keyword for each option
    root: Path,
    images: int = 3000,
    identities: int = 120,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    workers: int = 1,
    style: str = GENERIC,
) -> None:
    """Render still images with an image table: root/labels.csv and root/images.

    Every sixth person is in the validation split.

    Parameters
    ----------
    root : Path
        New or empty folder, or one that already contains the same dataset.
    images : int, default 3000
        Number of images.
    identities : int, default 120
        Number of people, at least 6.
    seed : int, default 0
    progress : callable, optional
        Called with the number of images done and the total.
    workers : int, default 1
        Number of processes; does not change the result.
    style : {"generic", "posed"}, default "generic"
        See `SyntheticStills`.

    Raises
    ------
    InputError
        If root has other content, a number is too small or the style is unknown.
    """
    _require_at_least("identities", identities, 6, " (one in six is for validation)")
    _require_at_least("images", images, identities, ", one of each person")
    settings = SyntheticStills(images, identities, seed, style)
    root, parameters = Path(root), {"seed": seed, "stills": images, "identities": identities, **_style_parameter(style)}
    if _is_finished(root, parameters):
        return
    with atomic_write_dir(root) as temp_dir:
        _write_stills(temp_dir, settings, workers, _make_counter(progress, images))
        _write_settings(temp_dir, parameters)


def make(  # noqa: PLR0913 - public, one keyword for each option
    root: Path,
    videos: int = 40,
    frames: int = 150,
    seed: int = 0,
    stills: int = 3000,
    identities: int = 120,
    progress: ProgressCallback | None = None,
    workers: int = 1,
    style: str = GENERIC,
) -> None:
    """Render a synthetic dataset: videos in the ABAW3 layout and, in root/stills, still images with an image table.

    Every video shows one person; the still images show other people. The same arguments give the same bytes. A video
    depends only on `seed`, its index and `frames`.

    Parameters
    ----------
    root : Path
        New or empty folder, or one that already contains the same dataset.
    videos : int, default 40
        Number of videos, at least 4.
    frames : int, default 150
        Approximate number of crops of each video, at least 10.
    seed : int, default 0
    stills : int, default 3000
        Number of still images; 0 for none.
    identities : int, default 120
        Number of people in the still images, at least 6.
    progress : callable, optional
        Called with the number of images done and the total.
    workers : int, default 1
        Number of processes; does not change the result.
    style : {"generic", "spontaneous"}, default "generic"
        See `SyntheticVideos`. The still images beside spontaneous videos are posed.

    Raises
    ------
    InputError
        If root has other content, a number is too small or the style is unknown.
    """
    _require_at_least("videos", videos, MIN_VIDEOS, " (train, validation and test)")
    _require_at_least("frames", frames, 10)
    _require_at_least("seed", seed, 0)
    if stills:
        _require_at_least("identities", identities, 6, " (one in six is for validation)")
        _require_at_least("stills", stills, identities, ", one of each person")
    tick = _make_counter(progress, videos * frames + stills)
    root, settings = Path(root), SyntheticVideos(videos, frames, seed, style)
    parameters: dict[str, Any] = {
        "seed": seed,
        "videos": videos,
        "frames": frames,
        "stills": stills,
        "identities": identities,
    }
    parameters = {**parameters, **_style_parameter(style)}
    if _is_finished(root, parameters):
        return
    with atomic_write_dir(root) as temp_dir:
        _write_videos(temp_dir, settings, workers, tick)
        if stills:
            beside = SyntheticStills(stills, identities, seed, GENERIC if style == GENERIC else "posed")
            _write_stills(temp_dir / "stills", beside, workers, tick)
        _write_settings(temp_dir, parameters)
