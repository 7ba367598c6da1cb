"""Locations of data that is not in the repository."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest


def shared_data() -> Path:
    """The folder `../shared/data` next to the checkout; skips the test if it is missing."""
    folder = (Path(__file__).resolve().parents[2] / "../shared/data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no shared data beside the checkout: {folder} is absent")
    return folder


def decode_clip(name: str) -> list[np.ndarray]:
    """All frames of a clip, RGB."""
    with av.open(str(shared_data() / "clips" / name)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
