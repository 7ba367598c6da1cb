"""Read the records of an export that is already complete, so that it is not repeated."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from backbones.card import CARD
from harness.export.model_files import ExportOptions, export_request
from harness.leaderboard.finished_run import FinishedRun
from harness.tracking.export_records import ExportRecord
from harness.utils.finished_output import read_finished_note
from harness.utils.output_dir import not_empty_error


def read_finished_export(run: FinishedRun, options: ExportOptions, out: Path) -> list[ExportRecord] | None:
    """Read the records of an export from its card.

    Parameters
    ----------
    run : FinishedRun
        The run to be exported.
    options : ExportOptions
        Options of the export.
    out : Path
        Folder of the export.

    Returns
    -------
    list of ExportRecord or None
        Records in the order of the precisions of the format; None if `out` does not exist or is empty.

    Raises
    ------
    InputError
        If `out` contains anything but this export.
    """
    card = read_finished_note(out, CARD, export_request(run, options))
    if card is None:
        return None
    names = {field.name for field in fields(ExportRecord)}
    try:
        shared = {
            "job_id": card["run"]["job_id"],
            "group_id": card["run"]["run_id"],
            **{name: card[name] for name in ("task", "format", "parameters", "macs", "versions")},
        }
        return [
            ExportRecord(**shared, **{name: value for name, value in file.items() if name in names})
            for file in card["files"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise not_empty_error(out) from error
