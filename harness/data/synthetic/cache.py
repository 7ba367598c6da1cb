"""The sets this project draws, in the store, each made once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
from harness.utils.hashing import content_hash
from harness.utils.locks import entry_lock
from harness.utils.store import Store

logger = logging.getLogger(__name__)


def synthetic_videos(wanted: SyntheticVideos, store: Store) -> Path:
    """The built-in video set in the store, made once."""
    from harness.data.synthetic import VERSION, make

    root = store.synthetic / f"videos-{content_hash([wanted, VERSION])}"
    what = f"the synthetic set: {wanted.videos} videos of {wanted.frames} frames"
    return _get_or_render(
        root, what, partial(make, videos=wanted.videos, frames=wanted.frames, seed=wanted.seed, stills=0)
    )


def synthetic_stills(wanted: SyntheticStills, store: Store) -> Path:
    """The built-in table of stills in the store, made once."""
    from harness.data.synthetic import make_stills

    root = store.synthetic / f"stills-{stills_fingerprint(wanted)}"
    what = f"{wanted.images} synthetic stills of {wanted.identities} identities"
    return _get_or_render(
        root, what, partial(make_stills, images=wanted.images, identities=wanted.identities, seed=wanted.seed)
    )


def stills_fingerprint(wanted: SyntheticStills) -> str:
    """What those stills are known by, drawn or not: the settings and the code that draws them."""
    from harness.data.synthetic import VERSION

    return content_hash([wanted, VERSION])


def _get_or_render(root: Path, what: str, make: Callable[..., object]) -> Path:
    """`root`, drawn on every core by whoever comes first."""
    with entry_lock(root):
        if not root.is_dir():
            from harness.utils.progress import Progress

            logger.info(f"making {what}")
            with Progress("images", unit="image") as progress:
                make(root, progress=progress, workers=os.cpu_count() or 1)
    return root
