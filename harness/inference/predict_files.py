"""Files of a prediction: tables, figure, `predict.json`, image names and the annotated video."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.inference.predict_options import NOTE, PredictOptions
from harness.inference.predict_session import PredictSession
from harness.inference.result import PredictionResult
from harness.smoothing.kernels import SmoothingParams
from harness.utils.escaping import escape_csv
from harness.utils.files import atomic_write, write_json
from harness.utils.finished_output import write_note
from harness.video.faces.boxes import Margin

if TYPE_CHECKING:
    from harness.video.images import ImageSource

NAMES = "images.csv"

NOTE_FORMAT = 1
"""Version of the format of predict.json."""


def write_files(
    options: PredictOptions, result: PredictionResult, session: PredictSession, folder: Path, request: str = ""
) -> tuple[Path, ...]:
    """Write tables, summary figure, predict.json, the image names of a folder and, if requested, the annotated video.

    Parameters
    ----------
    options : PredictOptions
    result : PredictionResult
    session : PredictSession
    folder : Path
        Folder to write to: `options.out`, or a temporary folder that is renamed to it.
    request : str, optional
        Hash of everything that the files depend on, written to predict.json. Default: none, as for live input.

    Returns
    -------
    tuple of Path
        The files, as paths in `options.out`.
    """
    from harness.inference.summary_figure import write_summary
    from harness.inference.tables import write_tables
    from harness.video.source import open_source

    write_tables(result, folder)
    write_summary(result, folder)
    if options.render:
        from harness.inference.overlay.video import annotate

        reopen = partial(open_source, options.input, options.crops, options.seconds)
        session.source.notes += annotate(reopen, result, session.is_video, folder)
    if session.source.kind == "images":
        _write_names(cast("ImageSource", session.source).files, folder / NAMES)
    note = predict_note(options, result, session)
    if request:
        write_note(folder, NOTE, note, request)
    else:
        write_json(folder / NOTE, note)
    return tuple(options.out / path.name for path in sorted(folder.iterdir()))


def _write_names(files: Sequence[tuple[int, Path]], path: Path) -> None:
    with atomic_write(path) as tmp_path, tmp_path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("frame", "image"))
        lines.writerows((number, escape_csv(image.name)) for number, image in files)


def predict_note(options: PredictOptions, result: PredictionResult, session: PredictSession) -> dict[str, Any]:
    """Describe input, detector and runs as JSON values."""
    return {
        "format": NOTE_FORMAT,
        "input": options.input,
        "kind": session.source.kind,
        "rate": result.rate,
        "frames": len(result.frames),
        "missing": options.missing,
        "notes": list(session.source.notes),
        "detector": None if session.detector is None else session.detector.identity,
        **({} if options.boxes is None else {"boxes": str(options.boxes)}),
        "runs": [
            {
                "name": reader.name,
                "label": reader.label,
                "task": reader.task.name,
                "model": reader.identity,
                "kernel": params.kernel,
                "radius": params.radius,
                "gaps": params.gaps,
                "thresholds": None if params.thresholds is None else list(params.thresholds),
                "synthetic": list(reader.synthetic),
                **_framing_note(session, number),
            }
            for number, forward in enumerate(session.forwards)
            for reader, params in zip(forward.readers, _filters_of_pass(session, number))
        ],
    }


def _framing_note(session: PredictSession, forward: int) -> dict[str, Any]:
    """Describe the framing of the crops of a forward pass."""
    framing = session.framings[session.framing_indices[forward]] if session.framings else None
    if framing is None or isinstance(framing, Margin):
        return {"margin": None if framing is None else vars(framing)}
    return {"margin": None, "align": framing.as_json()}


def _filters_of_pass(session: PredictSession, forward: int) -> Sequence[SmoothingParams]:
    """Get the smoothing of the runs of one forward pass."""
    start = sum(len(previous.readers) for previous in session.forwards[:forward])
    return session.filters[start : start + len(session.forwards[forward].readers)]
