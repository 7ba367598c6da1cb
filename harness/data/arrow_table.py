"""Read frame tables with Apache Arrow: plain CSV files with millions of rows, and parquet files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.regular_files import open_regular
from harness.data.coded_table import CodedColumn, CodedTable, from_columns, has_long_cell
from harness.data.csv_rows import MAX_HEADER, SEPARATORS, find_separator
from harness.data.table_columns import ColumnNames
from harness.data.text_encoding import encoding_of
from harness.utils.errors import InputError

if TYPE_CHECKING:
    import pyarrow

BLOCK_BYTES = 1 << 22
TAIL_BYTES = 1 << 10
BATCH_ROWS = 1 << 16
MOSTLY_DISTINCT = ("image",)
"""Columns whose cells are not encoded as distinct values, because nearly all of them differ."""

FindColumns = Callable[[Path, int, Sequence[str]], ColumnNames]


def read_plain_csv(path: Path, is_column: Callable[[str], object], find: FindColumns) -> CodedTable | None:
    """Read a plain CSV file.

    A file is plain if it is UTF-8, its first line is the header, and each further line is one row of the same width.
    For other files, `read_table` finds the rows and the malformed lines.

    Parameters
    ----------
    path : Path
    is_column : callable
        Returns whether a cell of the header is the name of a known column.
    find : callable
        Finds the columns of the header; see `find_columns`.

    Returns
    -------
    CodedTable or None
        None if the file is not plain, or if Arrow is not installed.

    Raises
    ------
    OSError
        If the file cannot be read.
    InputError
        If the header is malformed.
    """
    try:
        import pyarrow
        from pyarrow import csv as arrow_csv
    except ImportError:
        return None
    with open_regular(path) as file:
        head = file.read(MAX_HEADER)
        rows = _count_plain_lines(head, file) - 1
        header, separator = _plain_header(head, is_column)
        if rows < 1 or not header:
            return None
        names = find(path, 1, header)
        file.seek(0)
        labels = [str(position) for position in range(len(header))]
        wanted = {name: labels[position] for name, position in names.positions.items()}
        encoded = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        types = {label: pyarrow.string() if name in MOSTLY_DISTINCT else encoded for name, label in wanted.items()}
        try:
            table = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(skip_rows=1, column_names=labels, block_size=BLOCK_BYTES),
                arrow_csv.ParseOptions(delimiter=separator),
                arrow_csv.ConvertOptions(include_columns=list(wanted.values()), column_types=types, null_values=[]),
            )
        except pyarrow.ArrowInvalid:  # a row of another width, or bytes that are not UTF-8
            return None
    if table.num_rows != rows:
        return None
    chunks = {name: table.column(label).chunks for name, label in wanted.items()}
    del table  # so that `_to_columns` frees its memory
    columns = _to_columns(chunks)
    if any(map(has_long_cell, columns.values())) or _has_blank_row(columns):
        return None
    form = () if separator == "," else (f"separated by {SEPARATORS[separator]}",)
    return from_columns(path, columns, np.arange(2, rows + 2), names, form)


def _plain_header(head: bytes, is_column: Callable[[str], object]) -> tuple[list[str], str]:
    """Return the cells of the first line and their separator; no cells if the line is not the header."""
    line, newline, _ = head.partition(b"\n")
    if not newline or encoding_of(head) != "utf-8-sig" or line.startswith((b"sep=", b'"sep=')):
        return [], ","
    try:
        text = line.decode("utf-8-sig").removesuffix("\r")
        separator = find_separator(text, is_column)
        return next(csv.reader([text], delimiter=separator), []), separator
    except (UnicodeDecodeError, csv.Error):
        return [], ","


def _count_plain_lines(head: bytes, file: Any) -> int:
    """Count the lines of a file, except blank lines at its end; `head` is the beginning, which was already read.

    The result is 0 if the file contains a NUL byte, or line ends that are a carriage return alone.
    """
    lines, block, last = 0, head, b"\n"
    while block:
        if b"\0" in block or block.count(b"\r") != block.count(b"\r\n") + block.endswith(b"\r"):
            return 0
        lines += block.count(b"\n")
        last, block = block[-TAIL_BYTES:], file.read(BLOCK_BYTES)
    end = last[len(last.rstrip(b"\r\n")) :].count(b"\n")
    return lines - end + 1


def _has_blank_row(columns: dict[str, CodedColumn]) -> bool:
    """Return whether a row may be blank; then `read_table` must read the file, because it skips blank rows."""
    blank: Any = True
    for column in columns.values():
        empty = np.array([not cell.strip() for cell in column.cells.tolist()], dtype=bool)
        if not empty.any():
            return False
        blank = blank & column.spread(empty)
    return bool(np.any(blank))


def read_parquet(path: Path, find: FindColumns) -> CodedTable:
    """Read a parquet file; the line numbers in messages are the numbers of its rows.

    Raises
    ------
    InputError
        If Arrow is not installed, the file cannot be read or has no rows, its header is malformed, or a column has a
        type that is neither text, a number nor a truth value.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f"{path}: parquet files need pyarrow; run `pip install pyarrow`, or write a CSV file"
        ) from error
    try:
        with open_regular(path) as opened:
            file = parquet.ParquetFile(opened)
            header = file.schema_arrow.names
            names = find(path, 1, header)
            wanted = {name: header[position] for name, position in names.positions.items()}
            if not file.metadata.num_rows:
                raise InputError(f"{path}: the table has no rows; write one row for each frame or interval")
            chunks: dict[str, list[pyarrow.Array]] = {name: [] for name in wanted}
            for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted.values())):
                for name, label in wanted.items():
                    chunks[name].append(_to_text(path, label, batch.column(label)))
    except pyarrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{path}: cannot be read as a parquet file ({reason}); write it again, or as a CSV file"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    columns = _to_columns(chunks)
    rows = len(next(iter(columns.values())).codes)
    return from_columns(path, columns, np.arange(1, rows + 1), names)


def _to_text(path: Path, label: str, values: pyarrow.Array) -> pyarrow.Array:
    """Return the distinct values of a column as text, and their codes; missing values are empty cells."""
    import pyarrow

    kind = values.type.value_type if pyarrow.types.is_dictionary(values.type) else values.type
    try:
        encoded = values if pyarrow.types.is_dictionary(values.type) else values.dictionary_encode()
        texts = encoded.dictionary.cast(pyarrow.string())
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: column {label} has the type {kind}; write text or numbers") from error
    texts = pyarrow.concat_arrays([texts.fill_null(""), pyarrow.array([""])])
    codes = encoded.indices.cast(pyarrow.int32()).fill_null(len(texts) - 1)
    return pyarrow.DictionaryArray.from_arrays(codes, texts)


def _to_columns(chunks: dict[str, list[pyarrow.Array]]) -> dict[str, CodedColumn]:
    """Return the columns, and free the chunks of each one once it is converted."""
    import pyarrow

    columns = {name: _to_column(chunks.pop(name)) for name in list(chunks)}
    pyarrow.default_memory_pool().release_unused()
    return columns


def _to_column(chunks: Iterable[pyarrow.Array]) -> CodedColumn:
    """Return the cells of the chunks of a column."""
    import pyarrow

    chunked = pyarrow.chunked_array(chunks)
    if not pyarrow.types.is_dictionary(chunked.type):
        return CodedColumn(chunked.to_numpy(), np.arange(len(chunked), dtype=np.int32))
    array = chunked.unify_dictionaries().combine_chunks()
    if isinstance(array, pyarrow.ChunkedArray):
        array = array.chunk(0)
    cells = array.dictionary.to_numpy(zero_copy_only=False)
    codes = array.indices.to_numpy(zero_copy_only=False)
    return CodedColumn(cells, codes.astype(np.min_scalar_type(len(cells))))
