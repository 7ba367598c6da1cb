"""Copies of a table of labels, and of its settings, next to the crops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from backbones.regular_files import hash_file
from harness.data.csv_rows import peek_header
from harness.data.frame_columns import standard_frame_name
from harness.inference.cropping.options import CropOptions
from harness.utils.errors import InputError
from harness.utils.files import atomic_write, explain_write_errors

TIMES, FRAMES = {"time", "start"}, {"fps", "frame", "start_frame"}
"""Columns that need a frame rate, and columns with which a table needs none."""
RATE_DIGITS = 6


class LabelCopies:
    """Copies of the labels of an output folder; those of other labels are removed.

    Parameters
    ----------
    options : CropOptions
    previous : mapping of str to str
        SHA-256 of the copies of an earlier call by file name.

    Raises
    ------
    InputError
        If a file that would be replaced or removed is not as an earlier call has written it.
    """

    def __init__(self, options: CropOptions, previous: Mapping[str, str]) -> None:
        self._out, self._previous = options.out, previous
        self._originals: dict[Path, Path] = {}
        if options.labels is None:
            return
        self._originals[options.labels_copy] = options.labels
        if (settings := options.labels.with_suffix(".json")).is_file():
            self._originals[self._settings] = settings
        for path in {*self._originals, *(self._out / name for name in previous)}:
            self._require_unchanged(path)

    @property
    def _settings(self) -> Path:
        return self._out / "labels.json"

    @property
    def files(self) -> tuple[Path, ...]:
        """The copies; none without labels."""
        return tuple(self._originals)

    def _require_unchanged(self, path: Path) -> None:
        original = self._originals.get(path)
        if not path.exists() or (original is not None and hash_file(path) == hash_file(original)):
            return
        if self._previous.get(path.name) != hash_file(path):
            raise InputError(
                f"{path} is not as this command has copied it, and would be replaced by --labels; move it elsewhere, "
                "or leave --labels out"
            )

    def write(self, rates: Sequence[float | None]) -> dict[str, str]:
        """Write the copies, and remove those of other labels.

        If the table has times without a frame rate, and no settings, its settings become the frame rate of the videos.

        Parameters
        ----------
        rates : sequence of float or None
            Frame rates of the videos.

        Returns
        -------
        dict of str to str
            SHA-256 of the copies by file name.
        """
        table = next(iter(self._originals))
        for copy, original in self._originals.items():
            if not copy.exists() or hash_file(copy) != hash_file(original):
                with explain_write_errors(copy), atomic_write(copy) as tmp_path:
                    shutil.copyfile(original, tmp_path)
        written = {copy.name: hash_file(copy) for copy in self._originals}
        rate = _common_rate(rates)
        if self._settings not in self._originals and rate is not None and _needs_rate(table):
            with explain_write_errors(self._settings), atomic_write(self._settings) as tmp_path:
                tmp_path.write_text(json.dumps({"fps": rate}) + "\n", encoding="utf-8")
            written[self._settings.name] = hash_file(self._settings)
        for name in self._previous.keys() - written.keys():
            with explain_write_errors(self._out / name):
                (self._out / name).unlink(missing_ok=True)
        return written


def _common_rate(rates: Sequence[float | None]) -> float | None:
    """Return the frame rate of all videos; None if they differ or one is unknown."""
    rounded = {None if rate is None else round(rate, RATE_DIGITS) for rate in rates}
    return rounded.pop() if len(rounded) == 1 else None


def _needs_rate(table: Path) -> bool:
    """Return whether a CSV file has times, but neither frame numbers nor frame rates."""
    if table.suffix != ".csv":
        return False
    columns = {standard_frame_name(name) for name in peek_header(table, lambda name: standard_frame_name(name))}
    return bool(columns & TIMES) and not columns & FRAMES
