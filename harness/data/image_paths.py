"""Find the image files that a table or list names, also in spellings of Windows and macOS; explain missing files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from urllib.parse import unquote

from harness.data.image_files import SUFFIXES
from harness.utils.names import canonical_name, folded_name

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
MAX_SUBFOLDERS = 20


class Listing:
    """Names in a folder, which is listed once.

    Parameters
    ----------
    folder : Path

    Attributes
    ----------
    files : set of str
        Regular files; links and folders are not among them.
    others : list of str
        All other entries.
    may_hide : bool
        Whether the folder may have files that could not be listed: some folders can be entered but not read.
    """

    def __init__(self, folder: Path):
        self.files: set[str] = set()
        self.others: list[str] = []
        self.may_hide = False
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        self.files.add(entry.name)
                    else:
                        self.others.append(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError):
            self.may_hide = True

    @cached_property
    def similar(self) -> dict[str, list[str]]:
        """Names in the folder by their `folded_name`, which ignores case and Unicode normalization."""
        similar: dict[str, list[str]] = {}
        for name in (*self.files, *self.others):
            similar.setdefault(folded_name(name), []).append(name)
        return similar


class ImagePaths:
    """Find files in a folder by the names in a table or list; each subfolder is listed only once.

    Parameters
    ----------
    folder : Path
        Folder that the names are relative to.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._listings: dict[str, Listing] = {}

    def find(self, name: str) -> Path | None:
        r"""Return the file of a name, or None.

        A file of exactly this name is preferred. Otherwise a backslash is read as a separator, and accented letters
        may be composed or decomposed (Unicode NFC and NFD).
        """
        found = self.locate(name)
        return None if found is None else self.folder / found

    def locate(self, name: str) -> str | None:
        """Return the same file as `find`, as a path relative to the folder, or None."""
        if self._is_listed(name):
            return name
        name = name.replace("\\", "/")
        if self._is_listed(name):
            return name
        return None if name.isascii() else self._normalized(name)

    def explain(self, name: str) -> str:
        """Explain for a message why no file has a name, or which file may be meant; '' if neither is known."""
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
        similar = next((candidate for candidate in self._candidates(name) if self._is_file(candidate)), None)
        return self._fault(name) if similar is None else f"did you mean {similar}?"

    def _is_file(self, name: str) -> bool:
        # Path.is_file raises for a name that is too long
        return os.path.isfile(self.folder / name)  # noqa: PTH113 - see above

    def _is_listed(self, name: str) -> bool:
        """Return the same as `_is_file`, without a system call for each of the 290,000 files of a list."""
        folder, _, file = name.rpartition("/")
        if name.startswith("/") or file in ("", ".", ".."):
            return self._is_file(name)
        listing = self._list(folder or ".")
        if file in listing.files:
            return True
        # The file may be a link, or the disk may ignore case
        return (listing.may_hide or folded_name(file) in listing.similar) and self._is_file(name)

    def _normalized(self, name: str) -> str | None:
        """Return the path that equals a name except for Unicode normalization; None if there is not exactly one."""
        found = PurePosixPath()
        for part in PurePosixPath(name).parts:
            if part != ".." and not os.path.lexists(self.folder / found / part):
                canonical = canonical_name(part)
                same = [name for name in self._similar(found, part) if canonical_name(name) == canonical]
                if len(same) != 1:
                    return None
                part = same[0]
            found /= part
        return str(found) if self._is_file(str(found)) else None

    def _similar(self, folder: PurePosixPath, part: str) -> list[str]:
        """Return the entries of a folder that equal a name except for case and Unicode normalization."""
        return sorted(self._list(str(folder)).similar.get(folded_name(part), []))

    def _list(self, folder: str) -> Listing:
        if folder not in self._listings:
            self._listings[folder] = Listing(self.folder / folder)
        return self._listings[folder]

    def _candidates(self, name: str) -> Iterator[str]:
        """Yield the names that may be meant, the most likely first."""
        yield from (name.strip("\"' "), unquote(name))
        yield from self._other_case(name)
        stem, _, suffix = name.rpartition(".")
        stem = stem if suffix.lower() in SUFFIXES else name
        for other in sorted(SUFFIXES):
            yield from self._other_case(f"{stem}.{other}")
        yield from (f"{folder}/{name}" for folder in self._subfolders)
        parts = PurePosixPath(name).parts
        yield from ("/".join(parts[start:]) for start in range(1, len(parts)))

    def _other_case(self, name: str) -> Iterator[str]:
        """Yield the path that equals a name except for case and Unicode normalization, if there is exactly one."""
        found = PurePosixPath()
        for part in PurePosixPath(name).parts:
            if part not in ("..", "/") and not os.path.lexists(self.folder / found / part):
                similar = self._similar(found, part)
                if len(similar) != 1:
                    return
                part = similar[0]
            found /= part
        yield str(found)

    @cached_property
    def _subfolders(self) -> tuple[str, ...]:
        # Path.is_dir raises for a folder that cannot be entered
        folders = (name for name in sorted(self._list(".").others) if os.path.isdir(self.folder / name))  # noqa: PTH112
        return tuple(islice(folders, MAX_SUBFOLDERS))

    def _relative_advice(self, path: str) -> str:
        """Return advice for an absolute path, with the longest ending of the path that exists in the folder."""
        parts = PurePosixPath(path).parts
        ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
        relative = next((end for end in ends if self.find(end)), None)
        return "write paths relative to the folder of the table" + (f", here {relative}" if relative else "")

    def _fault(self, name: str) -> str:
        """Return why a name does not lead to a readable file; '' if nothing has this name."""
        path = self.folder / name
        try:
            return "this is a folder" if S_ISDIR(path.stat().st_mode) else "this is no file"
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL
            return ""
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
