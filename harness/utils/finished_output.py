"""Recognize an output folder that the same command has finished before, so that the command can be run again.

A command may be killed after its output is in place, but before it has registered or printed it. Each output
therefore has a note: a JSON file (`card.json`, `predict.json`, ...) with a hash of the request and a digest of the
other files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backbones.regular_files import hash_file
from harness.utils.files import write_json
from harness.utils.hashing import content_hash
from harness.utils.output_dir import not_empty_error

REQUEST, CONTENT = "request", "content_sha256"
"""Keys of a note: what was requested, and the digest of all other files in the folder."""


def request_hash(command: str, **values: Any) -> str:
    """Hash everything that the output of a command depends on.

    Parameters
    ----------
    command : str
        Name of the command.
    **values : Any
        Options and identities of inputs; see `harness.utils.hashing.to_jsonable`.
    """
    return content_hash([command, version("framelight"), values], 32)


def write_note(folder: Path, name: str, values: Mapping[str, Any], request: str) -> None:
    """Write the note of an output, after all other files.

    Parameters
    ----------
    folder : Path
        Folder of the output, or the temporary folder that becomes it.
    name : str
        Name of the note.
    values : mapping
        Content of the note as JSON types.
    request : str
        See `request_hash`.
    """
    write_json(folder / name, {**values, REQUEST: request, CONTENT: _content_digest(folder, name)})


def read_finished_note(out: Path, name: str, request: str) -> dict[str, Any] | None:
    """Read the note of an output that the same request has finished before.

    Parameters
    ----------
    out : Path
    name : str
        Name of the note.
    request : str
        See `request_hash`.

    Returns
    -------
    dict or None
        The note; None if `out` is not a folder or is empty.

    Raises
    ------
    InputError
        If `out` has files and is not the unchanged output of this request.
    """
    if not out.is_dir() or not any(out.iterdir()):
        return None
    if not holds_request(out, name, request):
        raise not_empty_error(out)
    return dict(json.loads((out / name).read_text(encoding="utf-8")))


def holds_request(folder: Path, name: str, request: str) -> bool:
    """Return whether a folder is the unchanged output of a request."""
    try:
        note = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(note, dict) or note.get(REQUEST) != request:
            return False
        return bool(note.get(CONTENT) == _content_digest(folder, name))
    except (OSError, ValueError, RecursionError):
        return False


def _content_digest(folder: Path, note: str) -> str:
    """Hash the relative paths and contents of a folder's files except its note; raise ValueError for other entries."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink() or not path.is_file():
            raise ValueError(f"{path} is neither a file nor a folder")
        if path != folder / note:
            total.update(f"{path.relative_to(folder).as_posix()!a} {hash_file(path)}\n".encode())
    return total.hexdigest()
