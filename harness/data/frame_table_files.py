"""Files of a frame table: the table itself, as CSV or parquet, and the folders of crops beside it."""

from __future__ import annotations

from pathlib import Path

from harness.data.arrow_table import read_parquet, read_plain_csv
from harness.data.coded_table import CodedTable, from_text_table
from harness.data.crop_search import CropSearch, find_crops
from harness.data.csv_rows import peek_header
from harness.data.csv_table import read_table
from harness.data.frame_columns import find_frame_columns, is_frame_header, standard_frame_name
from harness.data.image_table import SUFFIXES
from harness.utils.errors import InputError

CSV_NAME, PARQUET_NAME, PARQUET = "labels.csv", "labels.parquet", ".parquet"


def is_frame_table(file: Path) -> bool:
    """Return whether a file is a frame table. Any parquet file is one; of a CSV file, only the header is read.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    if file.suffix.lower() == PARQUET:
        return file.is_file()
    return file.suffix.lower() in SUFFIXES and file.is_file() and is_frame_header(peek_header(file, _is_column))


def _is_column(name: str) -> bool:
    return standard_frame_name(name) is not None


def table_file(root: Path) -> Path:
    """Return the file of the table: `root` itself, or its `labels.csv`, or its `labels.parquet` if there is no CSV."""
    if not root.is_dir():
        return root
    plain, parquet = root / CSV_NAME, root / PARQUET_NAME
    return parquet if parquet.is_file() and not plain.is_file() else plain


def read_frame_table(file: Path) -> CodedTable:
    """Read a CSV or parquet file.

    Raises
    ------
    InputError
        If the file cannot be read, its header is malformed, or a CSV and a parquet file are beside each other.
    """
    if file.suffix.lower() == PARQUET:
        return read_parquet(file, find_frame_columns)
    other = file.with_suffix(PARQUET)
    if other.is_file():
        raise InputError(f"{file}: {other.name} is beside it, and only one of them can be read; move one elsewhere")
    try:
        table = read_plain_csv(file, _is_column, find_frame_columns)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    return from_text_table(read_table(file, _is_column, find_frame_columns)) if table is None else table


def require_crops(folder: Path) -> CropSearch:
    """Return the folders of crops beside a table; raise InputError if there are none."""
    search = find_crops(folder)
    if not search.folders:
        raise InputError(
            f"{folder}: no face crops; put them in {folder}/cropped/<video>/00001.jpg (or cropped_aligned/), or name "
            "them in a column image"
        )
    return search
