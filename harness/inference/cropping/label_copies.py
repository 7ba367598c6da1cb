"""Copies of a table of labels, and of its settings, next to the crops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backbones.regular_files import hash_file
from harness.data.csv_rows import peek_header
from harness.data.frame_columns import standard_frame_name
from harness.data.frame_table_files import CSV_NAME, PARQUET, PARQUET_NAME
from harness.inference.cropping.options import CropOptions
from harness.utils.errors import InputError
from harness.utils.files import atomic_write, explain_write_errors

TIMES, FRAMES = {"time", "start"}, {"fps", "frame", "start_frame", "image"}
"""Columns with times, which need a frame rate to find the frames; and columns that make a frame rate unnecessary."""
RATE_DIGITS = 6
TABLES, SETTINGS = (CSV_NAME, PARQUET_NAME), "labels.json"
"""Names of the copies."""


class LabelCopies:
    """Copies of the labels in an output folder; copies of other labels, from earlier calls, are removed.

    A hand-written `labels.json` next to a copy of the same table stays.

    Parameters
    ----------
    options : CropOptions
    previous : mapping of str to str
        SHA-256 of the copies of an earlier call by file name.

    Attributes
    ----------
    files : tuple of Path
        The copies; none without labels.
    notes : list of str
        Messages about settings that were added to the copies.

    Raises
    ------
    InputError
        If a file would be replaced or removed that no earlier call has written, or that was changed afterwards.
    """

    def __init__(self, options: CropOptions, previous: Mapping[str, str]) -> None:
        self._out, self._previous = options.out, previous
        self._originals: dict[Path, Path] = {}
        self.files: tuple[Path, ...] = ()
        self.notes: list[str] = []
        if options.labels is None:
            return
        self._originals[options.labels_copy] = options.labels
        if (settings := options.labels.with_suffix(".json")).is_file():
            self._originals[self._settings] = settings
        self.files = tuple(self._originals)
        replaced = {*self._originals, *(self._out / name for name in (*TABLES, *previous))}
        if not _is_copy(options.labels_copy, options.labels):
            replaced.add(self._settings)
        for path in sorted(replaced):
            self._require_unchanged(path)

    @property
    def _settings(self) -> Path:
        return self._out / SETTINGS

    def _require_unchanged(self, path: Path) -> None:
        original = self._originals.get(path)
        if not path.exists() or (original is not None and _is_copy(path, original)):
            return
        if self._previous.get(path.name) != hash_file(path):
            raise InputError(
                f"{path} is not as this command has copied it, and would be replaced by --labels; move it elsewhere, "
                "or leave --labels out"
            )

    def write(self, rates: Sequence[float | None]) -> dict[str, str]:
        """Write the copies, and remove copies of other labels.

        If the table has times, and neither it nor its settings have a frame rate, the frame rate of the videos is added
        to the copy of the settings.

        Parameters
        ----------
        rates : sequence of float or None
            Frame rates of all videos with crops in the output folder.

        Returns
        -------
        dict of str to str
            SHA-256 of the copies by file name. If the labels are a table in the output folder itself, that table is not
            a copy and is left out.
        """
        table = next(iter(self._originals))
        settings = self._settings_with_rate(_common_rate(rates)) if _needs_rate(self._originals[table]) else None
        for copy, original in self._originals.items():
            if not _is_copy(copy, original) and (copy == table or settings is None):
                with explain_write_errors(copy), atomic_write(copy) as tmp_path:
                    shutil.copyfile(original, tmp_path)
        if settings is not None:
            rate = settings["fps"]
            self.notes.append(f"the table has times, so {SETTINGS} gets the frame rate of the videos, {rate:g}")
            self.files = (table, self._settings)
            with explain_write_errors(self._settings), atomic_write(self._settings) as tmp_path:
                tmp_path.write_text(json.dumps(settings) + "\n", encoding="utf-8")
        for name in self._previous.keys() - {copy.name for copy in self.files}:
            with explain_write_errors(self._out / name):
                (self._out / name).unlink(missing_ok=True)
        hashes = {copy.name: hash_file(copy) for copy in self.files}
        own = {copy.name for copy in self.files if self._is_original(copy)}
        return {name: value for name, value in hashes.items() if name not in own or self._previous.get(name) == value}

    def _is_original(self, copy: Path) -> bool:
        """Return whether a file in the output folder is the very file that `--labels` names."""
        original = self._originals.get(copy)
        return original is not None and copy.exists() and original.samefile(copy)

    def _settings_with_rate(self, rate: float | None) -> dict[str, Any] | None:
        """Return the settings with the frame rate added.

        Return None if the rate is unknown, the settings already have one, or they were written by hand.
        """
        original = self._originals.get(self._settings)
        by_hand = original is None and self._settings.exists() and SETTINGS not in self._previous
        if rate is None or by_hand or self._is_original(self._settings):
            return None
        try:
            values = json.loads(original.read_text(encoding="utf-8-sig")) if original else {}
        except (OSError, ValueError, RecursionError):  # reported when the table is read
            return None
        return {**values, "fps": rate} if isinstance(values, dict) and "fps" not in values else None


def _is_copy(path: Path, original: Path) -> bool:
    """Return whether a file exists and has the same content as another."""
    return path.exists() and hash_file(path) == hash_file(original)


def _common_rate(rates: Sequence[float | None]) -> float | None:
    """Return the frame rate of all videos; None if they differ or one is unknown."""
    rounded = {None if rate is None else round(rate, RATE_DIGITS) for rate in rates}
    return rounded.pop() if len(rounded) == 1 else None


def _needs_rate(table: Path) -> bool:
    """Return whether a table has times, but neither frame numbers nor frame rates."""
    columns = {standard_frame_name(name) for name in _column_names(table)}
    return bool(columns & TIMES) and not columns & FRAMES


def _column_names(table: Path) -> Sequence[str]:
    if table.suffix.lower() != PARQUET:
        return peek_header(table, standard_frame_name)
    try:
        from pyarrow.parquet import read_schema

        return read_schema(table).names
    except (ImportError, OSError, ValueError):  # reported when the table is read
        return ()
