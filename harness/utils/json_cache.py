"""Values that can be computed again, kept by key in one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.utils.files import write_json


class JsonCache:
    """A mapping in a JSON file.

    A file that is absent, damaged or of another version is an empty cache. Two processes may write at once: each
    keeps what it finds in the file, and an entry that is lost only has to be computed again.

    Parameters
    ----------
    path : Path or None
        The file; None for a cache that nothing is read from or written to.
    version : int, optional
        Raised when values change their meaning; then the file holds `version` and, under `name`, the values.
    name : str, default="values"
        Key of the values in a file with a version.
    """

    def __init__(self, path: Path | None, version: int | None = None, name: str = "values") -> None:
        self.path, self.version, self.name = path, version, name

    def read(self) -> dict[str, Any]:
        """All values by key."""
        if self.path is None:
            return {}
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if isinstance(document, dict) and self.version is not None:
            document = document.get(self.name) if document.get("version") == self.version else None
        return document if isinstance(document, dict) else {}

    def update(self, values: dict[str, Any]) -> None:
        """Add values to those in the file; nothing is written where none is new."""
        known = self.read()
        if self.path is None or known | values == known:
            return
        merged = known | values
        write_json(self.path, merged if self.version is None else {"version": self.version, self.name: merged})
