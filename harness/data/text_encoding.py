"""Encodings of annotation files and tables: UTF-8, UTF-16, UTF-32 and Windows-1252."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import NamedTuple

from backbones.regular_files import read_regular
from harness.utils.errors import InputError

MARKS = (  # UTF-32 first: its mark begins with the mark of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of the workbooks of spreadsheet programs, which are sometimes renamed to .csv."""
CONTROL_BYTES = bytes({*range(32)} - set(b"\t\n\r\f\v\x1a\x1b"))
HEAD_BYTES = 1024
WINDOWS = "cp1252"


class DecodedText(NamedTuple):
    """Text of a file.

    Attributes
    ----------
    text : str
        With universal newlines, without a byte-order mark.
    encoding : str
    note : str
        Message about an assumed encoding; empty if the file has a byte-order mark or is UTF-8.
    """

    text: str
    encoding: str
    note: str = ""


def read_decoded(path: Path, what: str) -> DecodedText:
    """Read a text file.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for messages.

    Returns
    -------
    DecodedText

    Raises
    ------
    InputError
        If the file cannot be read or is not a text file.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text, *rest = _decode(data, what)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return DecodedText(text.replace("\r\n", "\n").replace("\r", "\n"), *rest)


def encoding_of(head: bytes) -> str:
    """Return the encoding that the first bytes of a file indicate; `utf-8-sig` by default."""
    marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
    return marked or _unmarked_utf16(head[:HEAD_BYTES]) or "utf-8-sig"


def _decode(data: bytes, what: str) -> DecodedText:
    """Decode the bytes of a file; raise ValueError with a message for the user if they are not text."""
    if data.startswith(WORKBOOKS):
        raise ValueError(f"a workbook of a spreadsheet program, not a text file; replace it with {what}")
    encoding = encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig" or data.translate(None, CONTROL_BYTES) != data:
            message = f"not a text file ({error.reason} at byte {error.start}); replace it with {what}"
            raise ValueError(message) from error
        return _decode_windows(data, error.start)
    if encoding.startswith("utf-16-"):
        return DecodedText(text, encoding, f"without a byte-order mark; read as {encoding.upper()}; save it as UTF-8")
    return DecodedText(text, encoding)


def _decode_windows(data: bytes, position: int) -> DecodedText:
    """Decode bytes as Windows-1252; `position` is the index of the first byte that is not valid UTF-8."""
    latin = data.decode("latin-1")  # to find the line of a byte
    try:
        text = data.decode(WINDOWS)
    except UnicodeDecodeError as error:
        place = f"byte 0x{data[error.start]:02x} on line {_line(latin, error.start)}"
        raise ValueError(f"not a text file in UTF-8 or Windows-1252 ({place}); save it as UTF-8") from None
    place = f"byte 0x{data[position]:02x} on line {_line(latin, position)}"
    note = f"not a text file in UTF-8 ({place}); read as Windows-1252, where it is '{text[position]}'; save it as UTF-8"
    return DecodedText(text, WINDOWS, note)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _unmarked_utf16(head: bytes) -> str | None:
    """Detect UTF-16 without a byte-order mark by its NUL bytes: every other byte of Latin text. Return None if not."""
    half = len(head) // 2
    low, high = head[1::2].count(0), head[::2].count(0)
    if half and min(low, high) == 0 and max(low, high) > 0.9 * half:
        return "utf-16-le" if low else "utf-16-be"
    return None
