"""Paths that users name in options and environment variables."""

from __future__ import annotations

import os
from pathlib import Path

from harness.utils.errors import InputError
from harness.utils.home_folder import has_temporary_home


def environment_variable(name: str) -> str | None:
    """Return the value of an environment variable; None if it is unset or blank."""
    value = os.environ.get(name, "")
    return value if value.strip() else None


def expand_home(path: str | os.PathLike[str]) -> Path:
    """Replace `~` and `~USER` at the start of a path, as a shell does; `~USER` stays if the user is unknown.

    Raises
    ------
    InputError
        If the home folder of this user is unknown.
    """
    text = os.fspath(path)
    if not text.startswith("~"):
        return Path(text)
    first, separator, rest = text.partition("/")
    if first == "~" and (not os.environ.get("HOME") or has_temporary_home()):
        home = _home_of_user_id()
        if not home or home == "~":
            raise InputError(f"{text}: this user has no home folder; set HOME or give the path without ~")
        return Path(home + separator + rest)
    return Path(os.path.expanduser(text))  # noqa: PTH111 - unlike Path.expanduser, leaves the name of an unknown user


def _home_of_user_id() -> str:
    try:
        import pwd
    except ImportError:  # Windows
        return os.path.expanduser("~")  # noqa: PTH111 - Path.home raises an error if the user has no home folder
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
