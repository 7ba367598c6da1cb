"""Tracking URIs of sqlite files. `%` and `?` have a meaning in URIs, so paths are quoted."""

from __future__ import annotations

import functools
import re
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

_SQLITE = re.compile(r"sqlite(?:\+\w+)?://(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?", re.DOTALL)


def sqlite_uri(path: Path, existing: bool = False) -> str:
    """Return the URI of a sqlite file for MLflow and SQLAlchemy.

    Parameters
    ----------
    path : Path
        The file.
    existing : bool, default=False
        Whether connecting to a file that does not exist raises an error instead of creating the file.

    Returns
    -------
    str
        ``sqlite:///PATH`` for most paths. With `existing`, and for paths with `%` or `?`, a sqlite URI inside a
        SQLAlchemy URI. The URI names a driver, because MLflow would take a URI without one for a path and create a
        folder of that name.

    Examples
    --------
    >>> sqlite_uri(Path("/data/runs.db"))
    'sqlite:////data/runs.db'
    >>> sqlite_path(sqlite_uri(Path("/data/100% done?/runs.db"))).as_posix()
    '/data/100% done?/runs.db'
    """
    if not existing and not set(str(path)) & set("%?"):
        return f"sqlite:///{path}"
    quoted = quote(str(path.absolute()))
    database = quote(quoted) if _unquotes_databases() else quoted
    return f"sqlite+pysqlite:///file:{database}?{'mode=rw&' if existing else ''}uri=true"


def sqlite_path(uri: str) -> Path | None:
    """Return the path of the sqlite file that a URI names; None for other URIs, and for databases in memory.

    The path is unquoted, except in two cases: a file exists at the path as written, or only the path as written is in
    an existing folder.

    Examples
    --------
    >>> sqlite_path("sqlite:///runs.db").as_posix(), sqlite_path("http://localhost:5000"), sqlite_path("sqlite://")
    ('runs.db', None, None)
    """
    match = _SQLITE.fullmatch(uri)
    database, query = (match["database"] or "", parse_qs(match["query"] or "")) if match else ("", {})
    if query.get("uri") and database.startswith("file:"):
        path = unquote(database) if _unquotes_databases() else database
        path = unquote(path.removeprefix("file:").partition("?")[0])
        in_memory = path in ("", ":memory:") or query.get("mode") == ["memory"]
        return None if in_memory else Path(re.sub("^//[^/]*(?=/)", "", path))
    if database in ("", ":memory:"):
        return None
    written, unquoted = Path(database), Path(unquote(database))
    if written != unquoted and (written.exists() or (written.parent.exists() and not unquoted.parent.exists())):
        return written
    return unquoted


def is_sqlite(uri: str) -> bool:
    """Return whether a URI names a sqlite database."""
    return _SQLITE.fullmatch(uri) is not None


@functools.cache
def _unquotes_databases() -> bool:
    """Return whether SQLAlchemy unquotes the path of a URI, as it does from version 2.1 on."""
    major, minor = version("sqlalchemy").split(".")[:2]
    return (int(major), int(minor)) >= (2, 1)
