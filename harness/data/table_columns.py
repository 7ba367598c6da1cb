"""Column names of image tables and frame tables: the spellings that are read, and suggestions for similar names."""

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
"""Columns of an image table."""
POSITION_COLUMNS = ("frame", "time", "start", "end", "start_frame", "end_frame", "fps")
FRAME_COLUMNS = ("video", "image", *POSITION_COLUMNS, "subject", "split", *LABEL_COLUMNS)
"""Columns of a frame table."""
SIMILAR_NAMES = {
    "image": "image_path image_name image_file image_id image_location img img_path img_name path pth file file_path "
    "filepath file_name filename name picture photo crop frame_path subdirectory_filepath",
    "expression": "emotion emotions expr exp label labels class class_name category emotion_label expression_label "
    "affect facial_expression target",
    "subject": "person identity id subject_id person_id identity_id subject_name speaker user participant actor",
    "split": "set subset fold partition usage phase mode dataset_split",
    "valence": "val v",
    "arousal": "aro a",
    "video": "video_name video_id video_file clip clip_name clip_id sequence sequence_name sequence_id movie",
    "frame": "frame_number frame_no frame_nr frame_id frame_index framenumber frameid nframe",
    "time": "timestamp time_s time_sec seconds sec t",
    "start": "onset begin start_time begin_time begin_time_hh_mm_ss_ms begin_time_msec from",
    "end": "offset stop end_time stop_time end_time_hh_mm_ss_ms end_time_msec to",
    "start_frame": "onset_frame begin_frame first_frame",
    "end_frame": "offset_frame stop_frame last_frame",
    "fps": "frame_rate framerate rate",
}
"""Names that other tables use for each column. Such columns are not read, but the message suggests to rename them."""
ALIASES = {"begin time - ss.msec": "start", "end time - ss.msec": "end"}
"""Names of columns in exports of ELAN, in lower case."""
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
    known : tuple of str
        Names of all columns that a table of this kind may have.
    """

    positions: dict[str, int]
    header: tuple[str, ...]
    known: tuple[str, ...] = COLUMNS

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
        absent = [name for name in self.known if name not in (*self.positions, *POSITION_COLUMNS)]
        similar = [f"{name} (did you mean {column}?)" for name, column in _similar(self.unread, absent, self.known)]
        intensities = [
            name for name in self.unread if (match := _INTENSITY.fullmatch(name.lower())) and f"AU{match[1]}" in absent
        ]
        notes = [f"columns not read: {', '.join(similar)}; rename them if so"] if similar else []
        if intensities:
            notes.append(
                f"columns not read: {_enumerate(intensities)}; they hold intensities, but task au needs the "
                "presence of each action unit (0 or 1), as in AU01_c"
            )
        if "video" not in self.known and any(standard_name(name, FRAME_COLUMNS) == "video" for name in self.unread):
            notes.append(
                "column not read: video; the images are read as independent stills, so images of the same video may be "
                "in different splits; add a column frame to read them as frames of videos"
            )
        return tuple(notes)


def standard_name(name: str, columns: Collection[str] = COLUMNS) -> str | None:
    """Return the one of `columns` that a name in a header stands for, or None.

    Case is ignored, and so are blanks around a name. The name of an action unit may have a separator, leading zeros,
    and the suffix `_c`, as in the binary columns of OpenFace (`AU01_c`).

    Examples
    --------
    >>> standard_name(" AU01_c"), standard_name("Expression"), standard_name("AU01_r")
    ('AU1', 'expression', None)
    """
    spelled = name.strip(_BLANKS).lower()
    if match := _ACTION_UNIT.fullmatch(spelled):
        spelled = f"AU{match[1]}"
    spelled = ALIASES.get(spelled, spelled)
    return spelled if spelled in columns else None


def locate_columns(path: Path, line: int, names: Sequence[str], known: tuple[str, ...]) -> ColumnNames:
    """Find which of the columns in `known` a header has.

    Raises
    ------
    InputError
        If the header is empty, or two columns have the same meaning.
    """
    header = tuple(name.strip(_BLANKS) for name in names)
    if not any(header):
        raise InputError(f"{path}: the table is empty; its first line names the columns image,expression,...")
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        column = standard_name(name, known)
        if column in positions:
            first = header[positions[column]]
            twice = f"column {name} occurs twice" if name == first else f"columns {first} and {name} both mean {column}"
            raise InputError(f"{path}:{line}: {twice}; remove one")
        if column is not None:
            positions[column] = position
    return ColumnNames(positions, header, known)


def missing_columns_error(path: Path, line: int, names: ColumnNames, missing: Sequence[str]) -> InputError:
    """Return an error that names the missing columns, the columns of the table, and columns that may be misnamed."""
    what = " and no column ".join(missing)
    return InputError(f"{path}:{line}: no column {what}; {_advice(names)}")


def find_columns(path: Path, line: int, names: Sequence[str]) -> ColumnNames:
    """Find the columns of the header of an image table.

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
    columns = locate_columns(path, line, names, COLUMNS)
    missing = [] if "image" in columns.positions else ["image"]
    if not {"expression", "subject"} & set(columns.positions):
        missing.append("expression or subject")
    if missing:
        raise missing_columns_error(path, line, columns, missing)
    return columns


def _advice(names: ColumnNames) -> str:
    """Return the names in a header, and which of them may stand for columns that were not found."""
    available = _shorten(", ".join(name or "(no name)" for name in names.header))
    absent = [column for column in names.known if column not in names.positions]
    renamed = ", ".join(f"rename {name} to {column}" for name, column in _similar(names.header, absent, names.known))
    return f"the columns are {available}" + (f"; perhaps {renamed}" if renamed else "")


def _similar(
    names: Collection[str], columns: Collection[str], known_columns: Collection[str]
) -> Iterator[tuple[str, str]]:
    """For each of `columns` except action units, yield the first similar name, if any, and the column."""
    unknown = [name for name in names if not standard_name(name, known_columns)]
    words = {name: re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in unknown}
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
