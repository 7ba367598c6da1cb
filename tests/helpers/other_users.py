"""Steps of a test that are run as other users; only root can do that."""

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

GROUP = 4242


def _can_be_other_users():
    """Whether this is root, and others may read Python's libraries and this project."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    folders = {folder for path in (np.__file__, __file__) for folder in Path(path).resolve().parents}
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


needs_root = pytest.mark.skipif(not _can_be_other_users(), reason="only root can be users that can read all libraries")


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def shared_folder():
    """A folder that the group shares, outside of pytest's own, which only its user may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shared = folder / "shared"
        shared.mkdir()
        if os.geteuid() == 0:
            os.chown(shared, -1, GROUP)
        shared.chmod(0o2775)
        yield shared


def as_user(user, step, mask=0o002):
    """Run a step in a forked process of a user of the group; its result is true, or the test fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(GROUP)
            os.setuid(user)
            os.umask(mask)
            status = 0 if step() else 3
        except BaseException as error:
            print(f"user {user}: {type(error).__name__}: {error}", flush=True)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def modes(folder):
    """Permissions of everything in a folder, by relative path."""
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }


def copy_of_store(store, folder):
    """A copy of a store as a user of the group makes it."""
    return Path(shutil.copytree(store, folder, copy_function=shutil.copyfile))
