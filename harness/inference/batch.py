"""Inference on several inputs: the output folder gets one folder per input and a table of all inputs."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.errors import BackboneError
from harness.inference.inputs import RESERVED, output_names, valid_names
from harness.inference.predict import PredictSummary, predict
from harness.inference.predict_options import NOTE, PredictOptions, check_options
from harness.inference.predict_session import Models
from harness.inference.result_notes import synthetic_notes
from harness.utils.errors import FramelightError, InputError
from harness.utils.escaping import escape_csv
from harness.utils.files import atomic_write, write_json
from harness.utils.json_text import read_json
from harness.utils.locks import entry_lock
from harness.utils.output_dir import not_empty_error
from harness.utils.text import plural

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SUMMARY = "summary.csv"
INPUTS = "inputs"
"""Key in the note of a batch. Its value maps the absolute path of each input to the name of its output folder."""


@dataclass(frozen=True)
class InputSummary:
    """Result for one input of a batch.

    Attributes
    ----------
    input : str
        The input as the user named it.
    folder : str
        Name of its output folder.
    frames, faces : int
        Number of frames, and number of different faces. In images, every face counts as different.
    found : int
        Number of frames in which a face was found.
    seconds : float or None
        Time of the last frame; None for images.
    status : {"predicted", "finished before", "failed"}
    error : str
        Error message; "" if the input did not fail.
    """

    input: str
    folder: str
    frames: int = 0
    faces: int = 0
    found: int = 0
    seconds: float | None = None
    status: str = "failed"
    error: str = ""

    def __str__(self) -> str:
        """Describe the result in one line."""
        if self.status == "failed":
            return f"failed: {self.error}" if self.input in self.error else f"failed: {self.input}: {self.error}"
        before = " (finished before)" if self.status == "finished before" else ""
        return f"{self.input}: {plural(self.frames, 'frame')}, {plural(self.faces, 'face')}{before}"


@dataclass(frozen=True)
class BatchSummary:
    """Result for several inputs.

    Attributes
    ----------
    out : Path
        Folder with an output folder for each input.
    inputs : tuple of InputSummary
    notes : tuple of str
        Messages about files that were not read.
    """

    out: Path
    inputs: tuple[InputSummary, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[InputSummary, ...]:
        """Inputs that could not be predicted."""
        return tuple(row for row in self.inputs if row.status == "failed")

    @property
    def table(self) -> pd.DataFrame:
        """The rows of `summary.csv` for the inputs of this call."""
        import pandas as pd

        return pd.DataFrame([vars(row) for row in self.inputs])

    @property
    def files(self) -> tuple[Path, ...]:
        """The table, and the output folders of the inputs that did not fail."""
        return (self.out / SUMMARY, *(self.out / row.folder for row in self.inputs if row.status != "failed"))


def predict_batch(options: PredictOptions, inputs: Sequence[str], notes: Sequence[str] = ()) -> BatchSummary:
    """Predict several inputs with models that are loaded once; an input that fails does not end the others.

    Inputs that an earlier call with the same options has finished are not predicted again.

    Parameters
    ----------
    options : PredictOptions
        `out` is the parent of all output folders; `input` is ignored.
    inputs : sequence of str
        See `harness.inference.inputs.expand_inputs`.
    notes : sequence of str
        Messages for `BatchSummary.notes`.

    Raises
    ------
    InputError
        If a run or an option is not valid, or if `out` has content that is not from a batch. With `force`, such content
        may stay, and the output folder of an input is replaced once its new content is complete.
    """
    check_options(options, inputs=inputs)
    _previous_names(options)
    models = Models(options)
    models.require(bool(options.crops))
    names = _choose_names(options, inputs)
    shared_notes = synthetic_notes(models.readers(bool(options.crops)))
    for note in shared_notes:
        logger.info(f"note: {note}")
    rows = []
    for number, (text, name) in enumerate(names.items(), 1):
        rows.append(_predict_one(replace(options, input=text, out=options.out / name), models, shared_notes))
        logger.info(f"{number} of {len(names)}: {rows[-1]}")
        _write_summary(options.out, rows)
    return BatchSummary(options.out, tuple(rows), tuple(notes))


def _predict_one(options: PredictOptions, models: Models, shared_notes: Sequence[str]) -> InputSummary:
    try:
        summary = predict(options, models)
    except Exception as error:  # one input, whatever is wrong with it, must not end the others
        logger.debug("this input failed", exc_info=error)
        return InputSummary(options.input, options.out.name, error=_message(error))
    for note in summary.notes:
        if note not in shared_notes:
            logger.info(f"note: {options.input}: {note}")
    return _summarize(options, summary)


def _message(error: Exception) -> str:
    if isinstance(error, (FramelightError, BackboneError)):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
    return f"{type(error).__name__}: {error}; this is a defect: predict this input alone with --debug and report it"


def _summarize(options: PredictOptions, summary: PredictSummary) -> InputSummary:
    result = summary.result
    times = result.seconds[np.isfinite(result.seconds)]
    return InputSummary(
        options.input,
        options.out.name,
        len(result.frames),
        len(np.unique(result.face)) if summary.is_video else len(result.face),
        len(np.unique(result.frame[result.found])),
        round(float(times.max()), 3) if len(times) else None,
        "predicted" if summary.frames else "finished before",
    )


def _choose_names(options: PredictOptions, inputs: Sequence[str]) -> dict[str, str]:
    """Choose the names of the output folders and write them to the note of the batch, before anything is predicted."""
    paths = {text: os.path.realpath(text) for text in inputs}
    with entry_lock(options.out / NOTE, str(options.out)):
        previous = _previous_names(options)
        present = [path.name for path in options.out.iterdir()]
        same = {text: previous[path] for text, path in paths.items() if path in previous}
        names = output_names(inputs, same, (*previous.values(), *present))
        note = {**previous, **{paths[text]: name for text, name in names.items()}}
        write_json(options.out / NOTE, {"format": 1, INPUTS: note})
    return names


def _previous_names(options: PredictOptions) -> dict[str, str]:
    """Read the names that earlier calls chose; raise InputError if the folder has other content.

    With `force`, other content may stay. The exception is a note or table of another command: the batch would
    overwrite it.
    """
    out = options.out
    content = {path.name for path in out.iterdir() if not path.name.startswith(".")} if out.is_dir() else set()
    try:
        note: Any = read_json(out / NOTE)
        names = note[INPUTS]
        if isinstance(names, dict):
            return valid_names(names)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    if content and not options.force:
        raise not_empty_error(out)
    if other := content.intersection(RESERVED):
        raise InputError(
            f"--out {out} contains {' and '.join(sorted(other))}, but not from a prediction of several inputs, so "
            "--force does not replace it; choose another folder"
        )
    return {}


def _write_summary(out: Path, rows: Sequence[InputSummary]) -> None:
    """Write the rows to `summary.csv`, and keep its rows for other inputs."""
    columns = [field.name for field in fields(InputSummary)]
    cells = [["" if value is None else escape_csv(str(value)) for value in vars(row).values()] for row in rows]
    at = columns.index("folder")
    with entry_lock(out / NOTE, str(out)):
        lines = {line[at]: line for line in (*_read_lines(out / SUMMARY, columns), *cells)}
        with (
            atomic_write(out / SUMMARY) as tmp_path,
            tmp_path.open("w", encoding="utf-8", newline="", errors="replace") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([columns, *lines.values()])


def _read_lines(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Read the rows of the table that earlier calls wrote; the cells of missing columns are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            return [[line.get(column) or "" for column in columns] for line in csv.DictReader(file)]
    except (OSError, csv.Error):
        return []
