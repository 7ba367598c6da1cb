"""Image files that a table names: names written on Windows or macOS are found, other misspellings are explained."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from urllib.parse import unquote

from harness.data.image_files import SUFFIXES

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
MAX_SUBFOLDERS = 20


class ImagePaths:
    """Files in a folder by the names of a table.

    Parameters
    ----------
    folder : Path
        Folder that the names are relative to.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._entries: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path | None:
        r"""Return the file of a name, or None.

        A file of exactly this name is preferred. Otherwise a backslash is read as a separator, and accented letters
        may be composed or decomposed (Unicode NFC and NFD).
        """
        for path in self._exact(name), self._exact(name.replace("\\", "/")):
            if path is not None:
                return path
        name = name.replace("\\", "/")
        return None if name.isascii() else self._normalized(name)

    def explain(self, name: str) -> str:
        """Return why there is no file of a name and which file may be meant, for a message; '' if nothing is."""
        if not name:
            return "the cell is empty"
        if _DRIVE.match(name):
            return f"this is a path on a Windows computer; {self._relative_advice(name.replace(chr(92), '/'))}"
        if match := _ADDRESS.match(name):
            if match[0].lower() != "file://":
                return "this is an address; download the image and write its path"
            return self._relative_advice(unquote(name.partition("://")[2]))
        if name.startswith("/"):
            return self._relative_advice(name)
        name = name.replace("\\", "/")
        similar = next((candidate for candidate in self._candidates(name) if self._exact(candidate)), None)
        return self._fault(name) if similar is None else f"did you mean {similar}?"

    def _exact(self, name: str) -> Path | None:
        path = self.folder / name
        # Path.is_file raises for a name that is too long
        return path if os.path.isfile(path) else None  # noqa: PTH113 - see above

    def _normalized(self, name: str) -> Path | None:
        """Return the only file whose path differs from a name in the Unicode normalization alone."""
        found = self.folder
        for part in PurePosixPath(name).parts:
            if part != ".." and not os.path.lexists(found / part):
                same = [entry for entry in self._similar(found, part) if _nfc(entry) == _nfc(part)]
                if len(same) != 1:
                    return None
                part = same[0]
            found /= part
        return found if os.path.isfile(found) else None  # noqa: PTH113 - see `_exact`

    def _similar(self, folder: Path, part: str) -> list[str]:
        """Return the entries of a folder that differ from a name in case and normalization alone."""
        key = str(folder)
        if key not in self._entries:
            entries: dict[str, list[str]] = {}
            for entry in _list(folder):
                entries.setdefault(_nfc(entry).casefold(), []).append(entry)
            self._entries[key] = entries
        return sorted(self._entries[key].get(_nfc(part).casefold(), []))

    def _candidates(self, name: str) -> Iterator[str]:
        """Yield the names that may be meant, the most likely first."""
        yield from (name.strip("\"' "), unquote(name))
        yield from self._other_case(name)
        stem, _, suffix = name.rpartition(".")
        stem = stem if suffix.lower() in SUFFIXES else name
        for other in sorted(SUFFIXES):
            yield from self._other_case(f"{stem}.{other}")
        yield from (f"{folder}/{name}" for folder in self._subfolders())
        parts = PurePosixPath(name).parts
        yield from ("/".join(parts[start:]) for start in range(1, len(parts)))

    def _other_case(self, name: str) -> Iterator[str]:
        """Yield the only path that differs from a name in case and normalization alone."""
        found = PurePosixPath()
        for part in PurePosixPath(name).parts:
            if part not in ("..", "/") and not os.path.lexists(self.folder / found / part):
                similar = self._similar(self.folder / found, part)
                if len(similar) != 1:
                    return
                part = similar[0]
            found /= part
        yield str(found)

    def _subfolders(self) -> list[str]:
        # Path.is_dir raises for a folder that cannot be entered
        return [entry for entry in _list(self.folder) if os.path.isdir(self.folder / entry)][:MAX_SUBFOLDERS]  # noqa: PTH112

    def _relative_advice(self, path: str) -> str:
        """Return advice for an absolute path, with the longest end of it that exists in the folder."""
        parts = PurePosixPath(path).parts
        ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
        relative = next((end for end in ends if self.find(end)), None)
        return "write paths relative to the folder of the table" + (f", here {relative}" if relative else "")

    def _fault(self, name: str) -> str:
        """Return why a name is none of a readable file; '' if there is no such file."""
        path = self.folder / name
        try:
            return "this is a folder" if S_ISDIR(path.stat().st_mode) else "this is no file"
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL or half a character
            return ""
        except OSError as error:
            return f"it cannot be read: {error.strerror}"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _list(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone, of 290,000 files
    except OSError:
        return []
