"""Cache of JSON values by key, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.utils.files import write_json
from harness.utils.json_text import read_json
from harness.utils.locks import entry_lock


class JsonCache:
    """Mapping in a JSON file, which is read at the start and written by `save`.

    A file that is absent, damaged or of another version is an empty cache. Concurrent processes save one after
    another; each adds its new values to those in the file.

    Parameters
    ----------
    path : Path or None
        The file. None keeps the cache in memory only.
    version : int, optional
        Version of the values' meaning. With a version the file holds `version`, and the values
        under the key `name`.
    name : str, default="values"
        Key of the values in a file with a version.
    """

    def __init__(self, path: Path | None = None, version: int | None = None, name: str = "values") -> None:
        self.path, self.version, self.name = path and Path(path), version, name
        self._values = self._read()
        self._new: dict[str, Any] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """Return the value of a key, or None if it is missing."""
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Set a JSON value; `save` writes it to the file."""
        if key not in self._values or self._values[key] != value:
            self._values[key] = self._new[key] = value

    def save(self) -> None:
        """Add the new values to the file; without a path or a new value do nothing."""
        if self.path is None or not self._new:
            return
        with entry_lock(self.path):
            values = self._read() | self._new
            write_json(self.path, values if self.version is None else {"version": self.version, self.name: values})
        self._new = {}

    def _read(self) -> dict[str, Any]:
        try:
            document = read_json(self.path) if self.path else {}
        except (OSError, ValueError):
            return {}
        if isinstance(document, dict) and self.version is not None:
            document = document.get(self.name) if document.get("version") == self.version else {}
        return document if isinstance(document, dict) else {}
