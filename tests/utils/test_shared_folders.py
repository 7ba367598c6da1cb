"""New files have the permissions and the group of any other new file, so that a group can share a store."""

import os
import sqlite3
import tempfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.utils.files import atomic_write, atomic_write_dir, write_text
from harness.utils.json_cache import JsonCache
from harness.utils.locks import ProcessLock, entry_lock
from tests.helpers.other_users import GROUP, as_user, modes, needs_root, shared_folder, umask


def write_everything(folder):
    write_text(folder / "new" / "text.json", "{}")
    with atomic_write_dir(folder / "entry") as temp_dir:
        (temp_dir / "array.npy").write_bytes(b"x")
    with atomic_write_dir(folder / "entry", replace=True) as temp_dir:
        (temp_dir / "array.npy").write_bytes(b"y")
    with entry_lock(folder / "locked"):
        cache = JsonCache(folder / "cache.json")
        cache.set("key", 1)
        cache.save()
    return True


@pytest.mark.parametrize("mask, file, directory", [(0o002, 0o664, 0o775), (0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_new_files_are_as_open_makes_them(tmp_path, mask, file, directory):
    with umask(mask):
        write_everything(tmp_path)
    of_files = {name: mode for name, mode in modes(tmp_path).items() if (tmp_path / name).is_file()}
    of_folders = {name: mode for name, mode in modes(tmp_path).items() if (tmp_path / name).is_dir()}
    assert len(of_files) == 5 and set(of_files.values()) == {file}, of_files
    assert set(of_folders) == {"new", "entry"} and set(of_folders.values()) == {directory}, of_folders


@pytest.mark.skipif(os.name == "nt", reason="no setgid")
def test_replaced_file_has_the_mode_of_the_mask(tmp_path):
    path = tmp_path / "board.csv"
    path.touch(mode=0o600)
    with umask(0o002), atomic_write(path) as new:
        new.write_text("rows")
    assert modes(tmp_path) == {"board.csv": 0o664}


def replace_by_private_file(path):
    handle, name = tempfile.mkstemp(dir=path.parent)
    os.close(handle)
    os.replace(name, path)


def save_head(path):
    save_file({"weight": np.zeros(3)}, path)


@pytest.mark.parametrize("write", [replace_by_private_file, save_head])
def test_files_that_libraries_replace_are_shared_too(tmp_path, write):
    with umask(0o002), atomic_write(tmp_path / "file") as new:
        write(new)
    assert modes(tmp_path) == {"file": 0o664}


@needs_root
def test_group_of_a_folder_with_setgid_is_inherited():
    with shared_folder() as folder, umask(0o002):
        write_everything(folder)
        assert {path.stat().st_gid for path in folder.rglob("*")} == {GROUP}
        assert {mode for name, mode in modes(folder).items() if (folder / name).is_dir()} == {0o2775}


@needs_root
def test_two_users_write_the_same_entries():
    with shared_folder() as folder:
        as_user(4001, lambda: write_everything(folder))
        as_user(4002, lambda: write_everything(folder))
        assert {path.stat().st_uid for path in folder.rglob("*.npy")} == {4002}


@needs_root
def test_journals_of_sqlite_can_be_written_by_the_group():
    def write(folder):
        connection = sqlite3.connect(folder / "runs.db", timeout=0.1)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS runs (name)")
        connection.execute("INSERT INTO runs VALUES (1)")
        connection.commit()
        return {mode for name, mode in modes(folder).items()} == {0o664}

    with shared_folder() as folder:
        as_user(4001, lambda: (folder / "runs.db").touch() or write(folder))
        as_user(4002, lambda: write(folder))


@needs_root
def test_two_users_lock_the_same_file():
    with shared_folder() as folder:
        as_user(4001, lambda: ProcessLock(folder / "a.lock").acquire(0) is None)
        as_user(4002, lambda: ProcessLock(folder / "a.lock").acquire(0) is None)
