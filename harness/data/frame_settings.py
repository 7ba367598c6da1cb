"""Settings of a frame table: the file `labels.json` beside `labels.csv`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.regular_files import read_regular
from harness.utils.errors import InputError, unknown_name_error

RULES = {
    "exact": "each label is that of its frame alone",
    "hold": "each label holds until the next one",
    "nearest": "each crop has the nearest label",
}
"""Rules that spread the labels of single frames to crops, and what they do."""
MAX_FPS = 1000
MAX_DISTANCE = 10**9
"""Maximum of `max_frames`: more than the frames of any video."""
MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class FrameSettings:
    """Settings of a frame table.

    Attributes
    ----------
    fps : float or None, default None
        Frames per second of all videos, for tables without a column `fps`.
    spread : {"exact", "hold", "nearest"}, default "exact"
        Rule for the labels of single frames. `exact`: a label applies to its frame only. `hold`: it also applies to
        the crops before the next label in the same column. `nearest`: each crop gets the nearest label in each column,
        the earlier one of two equally near labels.
    max_frames : int or None, default None
        Maximum distance in frames between a label and a crop that it is spread to; without a limit by default.
    first_frame : {0, 1}, default 1
        Number of the first frame of a video in the column `frame`, in intervals of frames and in names of images.
    """

    fps: float | None = None
    spread: str = "exact"
    max_frames: int | None = None
    first_frame: int = 1


_VALID = {
    "fps": (lambda value: _is_number(value) and 0 < value <= MAX_FPS, f"a number above 0, at most {MAX_FPS:,}"),
    "spread": (lambda value: isinstance(value, str) and value in RULES, f"one of {', '.join(RULES)}"),
    "max_frames": (
        lambda value: isinstance(value, int) and value is not True and 0 < value <= MAX_DISTANCE,
        f"an integer above 0, at most {MAX_DISTANCE:,}",
    ),
    "first_frame": (lambda value: value in (0, 1) and not isinstance(value, bool), "0 or 1"),
}


def read_frame_settings(path: Path) -> FrameSettings:
    """Read the settings of a frame table; the defaults if the file does not exist.

    Raises
    ------
    InputError
        If the file cannot be read, is not a JSON object, or has an unknown setting or an invalid value.
    """
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
        values = json.loads(text)
    except FileNotFoundError:
        return FrameSettings()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}; write for example {_EXAMPLE}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON in UTF-8; write for example {_EXAMPLE}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a JSON object; write for example {_EXAMPLE}")
    for name, value in values.items():
        if name not in _VALID:
            raise unknown_name_error(f"setting in {path}", name, tuple(_VALID))
        accepts, description = _VALID[name]
        if not accepts(value):
            raise InputError(f"{path}: {name} is {json.dumps(value)[:60]}; it must be {description}")
    settings = FrameSettings(**values)
    if settings.max_frames is not None and settings.spread == "exact":
        raise InputError(f"{path}: max_frames has no effect without spread; add spread: hold or nearest, or remove it")
    return settings


_EXAMPLE = '{"fps": 25, "spread": "hold"}'


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
