"""Cache for what engines need: exported model files, and measurements in JSON files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backbones.atomic_files import atomic_write, atomic_write_dir
from backbones.card import CARD
from backbones.regular_files import hash_file


def cached_file(folder: Path, name: str, about: Mapping[str, Any], make: Callable[[Path], None]) -> tuple[Path, str]:
    """Return a cached file, creating it if it is missing, modified or has other metadata.

    Parameters
    ----------
    folder : Path
        The folder of the file, written atomically.
    name : str
        The name of the file.
    about : mapping
        JSON types that identify the content, stored in `card.json` next to the file.
    make : callable
        Called with a path, to which it writes the file.

    Returns
    -------
    path : Path
        The file.
    digest : str
        Its SHA-256 hex digest.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    path = Path(folder) / name
    cached_digest = _verified_hash(path, about)
    if cached_digest:
        return path, cached_digest
    with atomic_write_dir(path.parent) as tmp_path:
        make(tmp_path / name)
        digest = hash_file(tmp_path / name)
        (tmp_path / CARD).write_text(
            json.dumps({**about, "sha256": digest}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
    return path, digest


def _verified_hash(path: Path, about: Mapping[str, Any]) -> str | None:
    try:
        card, digest = json.loads((path.parent / CARD).read_text(encoding="utf-8")), hash_file(path)
    except (OSError, ValueError, RecursionError):
        return None
    return digest if card == {**about, "sha256": digest} else None


def read_fact(path: Path, key: str) -> Any:
    """Return the value that `write_fact` stored under a key; None if the key is missing or the file is damaged."""
    return read_facts(path).get(key)


def write_fact(path: Path, key: str, fact: Any) -> None:
    """Store a value under a key of a JSON file; concurrent writers may overwrite each other's values.

    Parameters
    ----------
    path : Path
        The JSON file.
    key : str
        The key.
    fact : JSON types
        The value. It can get lost, so it must be possible to compute it again.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    atomic_write(path, json.dumps({**read_facts(path), key: fact}, indent=1, sort_keys=True) + "\n")


def read_facts(path: Path) -> dict[str, Any]:
    """Return all values of a JSON file by key; empty if it is missing or damaged."""
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
