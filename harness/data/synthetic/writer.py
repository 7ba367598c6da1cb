"""The whole set on disk, written aside and renamed: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from harness.data.synthetic import VERSION
from harness.data.synthetic.annotation_files import write_layout
from harness.data.synthetic.stills import HEADER, make_subject
from harness.data.synthetic.video import make_video, split_of
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir

LEAST_VIDEOS = 4
Progress = Callable[[int, int], None]


def _fresh(root: Path) -> Path:
    root = Path(root)
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; name a folder to make the synthetic set in")
    if root.is_dir() and any(root.iterdir()):
        raise InputError(f"{root} is not empty; name a new folder for the synthetic set")
    return root


def _at_least(name: str, value: int, least: int, why: str = "") -> None:
    if value < least:
        raise InputError(f"{name} is {value}; the synthetic set needs at least {least}{why}")


def _spread(work: Callable[[int], Any], count: int, workers: int) -> Iterator[Any]:
    """Results of work(0) ... work(count - 1), in order, from `workers` processes."""
    if workers <= 1:
        yield from map(work, range(count))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, range(count))


def _record(root: Path, **parameters: int) -> None:
    record = {"generator": "framelight synthetic", "version": VERSION, **parameters}
    (root / "synthetic.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _subject(root: Path, seed: int, images: int, identities: int, index: int) -> list[str]:
    return make_subject(root, seed, index, images // identities + (index < images % identities))


def _write_stills(root: Path, images: int, identities: int, seed: int, workers: int,
                  tick: Callable[[int], None]) -> None:
    (root / "images").mkdir(parents=True)
    rows = []
    for part in _spread(partial(_subject, root, seed, images, identities), identities, workers):
        rows += part
        tick(len(part))
    (root / "labels.csv").write_text("\n".join([",".join(HEADER), *rows]) + "\n", encoding="utf-8")


def _write_videos(root: Path, videos: int, frames: int, seed: int, workers: int, tick: Callable[[int], None]) -> None:
    made = []
    for index, video in enumerate(_spread(partial(_video, root, seed, frames), videos, workers)):
        made.append((split_of(index), video))
        tick(frames)
    write_layout(root, made)


def _video(root: Path, seed: int, frames: int, index: int):
    return make_video(root, seed, index, frames)


def _ticker(progress: Progress | None, total: int) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return tick


def make_stills(root: Path, images: int = 3000, identities: int = 120, seed: int = 0,
                progress: Progress | None = None, workers: int = 1) -> None:
    """Write root/labels.csv and root/images: `images` stills of `identities` people (every sixth: validation).

    progress(done, total) counts images. InputError where root exists and is not empty, or a number is too small.
    """
    _at_least("identities", identities, 6, " (one in six is for validation)")
    _at_least("images", images, identities, ", one of each person")
    with atomic_write_dir(_fresh(root)) as aside:
        _write_stills(aside, images, identities, seed, workers, _ticker(progress, images))
        _record(aside, seed=seed, stills=images, identities=identities)


def make(root: Path, videos: int = 40, frames: int = 150, seed: int = 0, stills: int = 3000, identities: int = 120,
         progress: Progress | None = None, workers: int = 1) -> None:
    """Write `videos` videos of about `frames` frames in the ABAW3 layout and, under stills/, a table of stills.

    One person a video, other people in the stills. stills=0 leaves the table out. Same arguments, same bytes,
    whatever `workers`; a video depends on seed, its index and `frames` alone. progress(done, total) counts images.
    InputError where root exists and is not empty, or a number is too small.
    """
    _at_least("videos", videos, LEAST_VIDEOS, " (train, validation and test)")
    _at_least("frames", frames, 10)
    _at_least("seed", seed, 0)
    if stills:
        _at_least("identities", identities, 6, " (one in six is for validation)")
        _at_least("stills", stills, identities, ", one of each person")
    tick = _ticker(progress, videos * frames + stills)
    with atomic_write_dir(_fresh(root)) as aside:
        _write_videos(aside, videos, frames, seed, workers, tick)
        if stills:
            _write_stills(aside / "stills", stills, identities, seed, workers, tick)
        _record(aside, seed=seed, videos=videos, frames=frames, stills=stills, identities=identities)
