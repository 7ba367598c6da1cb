"""Synthetic datasets in the store, each rendered once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from backbones.processors import available_processors
from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
from harness.utils.hashing import content_hash
from harness.utils.locks import entry_lock
from harness.utils.store import Store

logger = logging.getLogger(__name__)


def synthetic_videos(settings: SyntheticVideos, store: Store) -> Path:
    """Return the folder of a synthetic video dataset in the store; render it at the first call.

    Parameters
    ----------
    settings : SyntheticVideos
    store : Store

    Returns
    -------
    Path
    """
    from harness.data.synthetic import VERSION, make

    root = store.synthetic / f"videos-{content_hash([settings, VERSION])}"
    description = f"the synthetic dataset: {settings.videos} videos of {settings.frames} frames"
    return _get_or_render(root, description, partial(make, stills=0, **asdict(settings)))


def synthetic_stills(settings: SyntheticStills, store: Store) -> Path:
    """Return the folder of a synthetic image table in the store; render it at the first call.

    Parameters
    ----------
    settings : SyntheticStills
    store : Store

    Returns
    -------
    Path
    """
    from harness.data.synthetic import make_stills

    root = store.synthetic / f"stills-{stills_fingerprint(settings)}"
    description = f"{settings.images} synthetic still images of {settings.identities} identities"
    return _get_or_render(root, description, partial(make_stills, **asdict(settings)))


def stills_fingerprint(settings: SyntheticStills) -> str:
    """Return a hash of the settings and the renderer's version; it identifies the images before they are rendered."""
    from harness.data.synthetic import VERSION

    return content_hash([settings, VERSION])


def _get_or_render(root: Path, description: str, render: Callable[..., object]) -> Path:
    """Return `root`; if it does not exist, render it on all cores, or wait for the process that is rendering it."""
    with entry_lock(root):
        if not root.is_dir():
            from harness.utils.progress import Progress

            logger.info(f"rendering {description}")
            with Progress("images", unit="image") as progress:
                render(root, progress=progress, workers=available_processors())
    return root
