"""Options of a prediction, and their check before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.inference.smoothing_options import check_smoothing
from harness.utils.errors import InputError
from harness.utils.output_dir import check_output_dir
from harness.utils.store import Store

NOTE = "predict.json"
"""Name of the file that describes a prediction."""


@dataclass(frozen=True)
class PredictOptions:
    """Options of a prediction; see `harness.inference.api.predict`."""

    input: str
    runs: tuple[str, ...]
    out: Path
    store: Store
    seed: int | None = None
    render: bool = False
    force: bool = False
    crops: bool | None = None
    detector: str = "auto"
    smallest: int | None = None
    margin: float | None = None
    missing: str = "filled"
    kernel: str | None = None
    radius: int | None = None
    seconds: float | None = None
    engine: str = ""
    boxes: Path | None = None


def check_options(options: PredictOptions, live: bool = False, inputs: Sequence[str] = ()) -> None:
    """Raise InputError for invalid options, before anything is opened.

    Parameters
    ----------
    options : PredictOptions
    live : bool
    inputs : sequence of str
        The inputs, if there are several.
    """
    read = (*map(Path, inputs or (options.input,)), options.store.root, *map(Path, options.runs))
    if options.boxes is not None:
        read = (*read, options.boxes)
        _check_boxes(options, live, inputs)
    check_output_dir(options.out, options.force, *read, note="" if live else NOTE, shared=bool(inputs))
    check_smoothing(options.kernel, options.radius, live)
    if options.margin is not None and not 0.5 <= options.margin <= 4:
        raise InputError(
            f"--margin {options.margin:g}: the side of a crop must be from 0.5 to 4 times the side of the detected box"
        )
    if options.crops and (options.margin, options.smallest, options.detector) != (None, None, PredictOptions.detector):
        raise InputError(
            "--crops uses every image as a face crop without detection; leave out --margin, --smallest and --detector"
        )


def _check_boxes(options: PredictOptions, live: bool, inputs: Sequence[str]) -> None:
    """Raise InputError for options that cannot be combined with faces from a file."""
    if inputs:
        raise InputError(
            f"--boxes {options.boxes} has the faces of one video; give that video as the only input, not its folder"
        )
    if live:
        raise InputError("--boxes needs all frames of a video, of which --live and cameras drop some; leave out one")
    if options.crops or options.smallest is not None:
        raise InputError(
            "--boxes replaces the detection of faces; leave out " + ("--crops" if options.crops else "--smallest")
        )
