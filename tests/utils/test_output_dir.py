"""Output folders are written atomically and never replaced without --force."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from harness.utils.errors import FramelightError, InputError
from harness.utils.output_dir import check_output_dir, replace_output_dir


@pytest.fixture
def full(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    return out


def test_folder_with_something_in_it_raises_without_force(full, tmp_path):
    with pytest.raises(InputError, match="not empty.*--force"):
        check_output_dir(full, False)
    check_output_dir(full, True)
    check_output_dir(tmp_path / "new", False)
    (tmp_path / "empty").mkdir()
    check_output_dir(tmp_path / "empty", False)


def test_file_is_never_replaced(full):
    with pytest.raises(InputError, match="is a file"):
        check_output_dir(full / "mine.txt", True)


def test_impossible_folder_raises_immediately(full, monkeypatch):
    with pytest.raises(InputError, match="mine.txt is a file; choose another folder"):
        check_output_dir(full / "mine.txt" / "deep" / "er", False)
    monkeypatch.setattr(os, "access", lambda path, mode: path != full)
    check_output_dir(full.parent / "new", False)
    with pytest.raises(InputError, match="no permission to write in .*out"):
        check_output_dir(full / "deep" / "er", True)


def test_input_is_never_replaced(full):
    with pytest.raises(InputError, match="which is read"):
        check_output_dir(full, True, full / "mine.txt")
    with pytest.raises(InputError, match="which is read"):
        check_output_dir(full, True, full)


def test_part_of_input_is_never_replaced(full, tmp_path):
    with pytest.raises(InputError, match="part of .*--force would remove"):
        check_output_dir(full, True, tmp_path)
    check_output_dir(tmp_path / "new", True, tmp_path)


@pytest.mark.parametrize("force", (True, False))
def test_working_directory_is_never_replaced(full, tmp_path, force, monkeypatch):
    (full / "deeper").mkdir()
    for here in (full, full / "deeper"):
        monkeypatch.chdir(here)
        with pytest.raises(InputError, match="the current folder"):
            check_output_dir(full, force)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(InputError, match="--out . is or contains"):
        check_output_dir(empty.relative_to(empty), force)


def test_new_folder_replaces_the_old_one(full, tmp_path):
    with replace_output_dir(full) as aside:
        (aside / "new.txt").write_text("new")
        assert (full / "mine.txt").is_file()
    assert [path.name for path in full.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_failure_leaves_the_old_folder(full, tmp_path):
    with pytest.raises(RuntimeError), replace_output_dir(full) as aside:
        (aside / "new.txt").write_text("new")
        raise RuntimeError
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_link_to_a_folder_stays_and_its_folder_is_replaced(full, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(full)
    with replace_output_dir(link) as aside:
        (aside / "new.txt").write_text("new")
    assert link.is_symlink() and [path.name for path in full.iterdir()] == ["new.txt"]


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from harness.utils.output_dir import replace_output_dir
shutil.rmtree = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
with replace_output_dir(Path(sys.argv[1])) as aside:
    (aside / "new.txt").write_text("new")
"""


def test_kill_during_cleanup_keeps_the_new_folder(full):
    killed = subprocess.run([sys.executable, "-c", KILLED, full], timeout=600, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in full.iterdir()] == ["new.txt"]


def test_leftovers_of_the_same_folder_are_removed(tmp_path):
    names = (".out.old.aside", ".out.young.aside", ".other.old.aside", ".outer.old.aside")
    for name in names:
        (tmp_path / name).mkdir()
        if "old" in name:
            os.utime(tmp_path / name, (0, 0))
    with replace_output_dir(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", *names[1:]}


def test_failed_replacement_keeps_the_old_folder(full, monkeypatch):
    rename = os.rename

    def failing(source, target):
        if os.fspath(target) == os.fspath(full) and "new.txt" in os.listdir(source):
            raise OSError(errno.ENOSPC, "no space")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    monkeypatch.setattr("backbones.atomic_files._try_atomic_exchange", lambda one, other: False)
    with pytest.raises(FramelightError, match="disk is full"), replace_output_dir(full) as aside:
        (aside / "new.txt").write_text("new")
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_what_a_killed_process_displaced_is_not_replaced_without_force(full):
    displaced = full.parent / f".{full.name}.x.displaced.aside"
    displaced.mkdir()
    full.rename(displaced / full.name)
    with pytest.raises(InputError, match="not empty.*--force"):
        check_output_dir(full, False)
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
