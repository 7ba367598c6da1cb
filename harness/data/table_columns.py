"""Column names of an image table: the spellings that are read, and suggestions for similar names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.metrics.tasks import ACTION_UNITS, AFFECTS
from harness.utils.errors import InputError

NUMBER_COLUMNS = (*AFFECTS, *ACTION_UNITS)
LABEL_COLUMNS = ("expression", *NUMBER_COLUMNS)
COLUMNS = ("image", "subject", "split", *LABEL_COLUMNS)
SIMILAR_NAMES = {
    "image": "image_path image_name image_file image_id image_location img img_path img_name path pth file file_path "
    "filepath file_name filename name picture photo crop frame_path subdirectory_filepath",
    "expression": "emotion emotions expr exp label labels class class_name category emotion_label expression_label "
    "affect facial_expression target",
    "subject": "person identity id subject_id person_id identity_id subject_name speaker user participant actor",
    "split": "set subset fold partition usage phase mode dataset_split",
    "valence": "val v",
    "arousal": "aro a",
}
"""Names that other tables use for a column; they are not read, but lead to a suggestion in the message."""
SIMILARITY = 0.8
MAX_LENGTH = 200

_BLANKS = " \t\r\n\xa0\u200b\ufeff"
_ACTION_UNIT = re.compile(r"au[ _-]?0*(\d+)(?:[ _-]?c)?")
_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\D*)", re.DOTALL)
_INTENSITY = re.compile(r"au[ _-]?0*(\d+)[ _-]?r")


@dataclass(frozen=True)
class ColumnNames:
    """Columns of a table.

    Attributes
    ----------
    positions : dict of str to int
        Position of each column that is read, by its standard name.
    header : tuple of str
        Names as the table spells them, stripped.
    """

    positions: dict[str, int]
    header: tuple[str, ...]

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of the columns that are not read, as the table spells them; '' is a column without a name."""
        read = set(self.positions.values())
        return tuple(name for position, name in enumerate(self.header) if position not in read)

    def summary(self) -> str:
        """Return the columns that are read and the columns that are not read, for one line of a summary."""
        read = ", ".join(self.header[position] for position in self.positions.values())
        return f"read: {read}" + (f"; not read: {_enumerate(self.unread)}" if self.unread else "")

    def notes(self) -> tuple[str, ...]:
        """Return what the columns that are not read may mean, for a warning."""
        absent = [name for name in COLUMNS if name not in self.positions]
        similar = [f"{name} (did you mean {column}?)" for name, column in _similar(self.unread, absent)]
        intensities = [
            name for name in self.unread if (match := _INTENSITY.fullmatch(name.lower())) and f"AU{match[1]}" in absent
        ]
        notes = [f"columns not read: {', '.join(similar)}; rename them if so"] if similar else []
        if intensities:
            notes.append(
                f"columns not read: {_enumerate(intensities)}; they hold intensities, but task au needs the "
                "presence of each action unit (0 or 1), as in AU01_c"
            )
        return tuple(notes)


def standard_name(name: str) -> str | None:
    """Return the column that a name in a header stands for, or None.

    Case is ignored, and so are blanks around a name. The name of an action unit may have a separator, leading zeros,
    and the suffix `_c`, as in OpenFace's columns of 0 and 1 (`AU01_c`).

    Examples
    --------
    >>> standard_name(" AU01_c"), standard_name("Expression"), standard_name("AU01_r")
    ('AU1', 'expression', None)
    """
    spelled = name.strip(_BLANKS).lower()
    if match := _ACTION_UNIT.fullmatch(spelled):
        spelled = f"AU{match[1]}"
    return spelled if spelled in COLUMNS else None


def find_columns(path: Path, line: int, names: Sequence[str]) -> ColumnNames:
    """Find the columns of a header.

    Parameters
    ----------
    path : Path
    line : int
        Line of the header.
    names : sequence of str

    Raises
    ------
    InputError
        If the header is empty, there is no column `image`, there is neither a column `expression` nor `subject`, or two
        columns have the same meaning.
    """
    header = tuple(name.strip(_BLANKS) for name in names)
    if not any(header):
        raise InputError(f"{path}: the table is empty; its first line names the columns image,expression,...")
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        column = standard_name(name)
        if column in positions:
            first = header[positions[column]]
            twice = f"column {name} occurs twice" if name == first else f"columns {first} and {name} both mean {column}"
            raise InputError(f"{path}:{line}: {twice}; remove one")
        if column is not None:
            positions[column] = position
    missing = [] if "image" in positions else ["image"]
    if not {"expression", "subject"} & set(positions):
        missing.append("expression or subject")
    if missing:
        raise InputError(f"{path}:{line}: no column {' and no column '.join(missing)}; {_advice(header, positions)}")
    return ColumnNames(positions, header)


def _advice(header: Collection[str], positions: Collection[str]) -> str:
    """Return the names in a header, and which of them may stand for columns that were not found."""
    available = _shorten(", ".join(name or "(no name)" for name in header))
    similar = _similar(header, [column for column in COLUMNS if column not in positions])
    renamed = ", ".join(f"rename {name} to {column}" for name, column in similar)
    return f"the columns are {available}" + (f"; perhaps {renamed}" if renamed else "")


def _similar(names: Collection[str], columns: Collection[str]) -> Iterator[tuple[str, str]]:
    """For each of `columns` except action units, yield the first similar name, if any, and the column."""
    words = {name: re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names if not standard_name(name)}
    for column in columns:
        if column in ACTION_UNITS:
            continue  # AU14 is similar to AU4, but another action unit
        known = SIMILAR_NAMES.get(column, "").split()
        similar = [name for name, word in words.items() if word in known]
        similar += [name for name, word in words.items() if difflib.get_close_matches(word, [column], 1, SIMILARITY)]
        if similar:
            yield similar[0], column


def _enumerate(names: Sequence[str]) -> str:
    """List names; three or more names with consecutive numbers, such as x_0, x_1, x_2, become `x_0 to x_2`."""
    runs: list[list[str]] = []
    expected: tuple[str, int, str] | None = None
    for name in names:
        if runs and expected is not None and _number(name) == expected:
            runs[-1].append(name)
        else:
            runs.append([name])
        expected = (parts[0], parts[1] + 1, parts[2]) if (parts := _number(name)) else None
    words = [[f"{run[0]} to {run[-1]}"] if len(run) > 2 else run for run in runs]
    return ", ".join(name or "(a column without a name)" for run in words for name in run)


def _number(name: str) -> tuple[str, int, str] | None:
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2]), match[3]) if match else None


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."
