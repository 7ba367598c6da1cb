"""Checkpoint folders are replaced at once, and found again after a kill."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import backbones
from backbones import BackboneError
from backbones.atomic_files import atomic_write_dir
from backbones.errors import WriteError
from harness.utils.files import remove_stale_temp_files
from tests.backbones.conftest import CLASSES


def test_saving_again_replaces(saved):
    checkpoints, _ = saved
    other = backbones.build("tiny_resnet", CLASSES, seed=9)
    backbones.save_checkpoint(checkpoints / "mine-0123", other, {"name": "mine"})
    assert backbones.load("mine", checkpoints).weights_hash == other.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


def test_checkpoint_is_replaced_atomically(saved):
    """Whatever moment a kill picks, a whole checkpoint is at the path."""
    checkpoints, _ = saved
    path, done, absent = checkpoints / "mine-0123", threading.Event(), []

    def watch():
        while not done.is_set():
            if not os.path.isdir(path):
                absent.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(300):
            with atomic_write_dir(path) as aside:
                (aside / "card.json").write_text(str(number))
    finally:
        done.set()
        watcher.join()
    assert not absent and (path / "card.json").read_text() == "299"
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


def test_failed_save_keeps_the_old_checkpoint(saved):
    checkpoints, network = saved
    with pytest.raises(WriteError, match="cannot write.*mine-0123"), atomic_write_dir(checkpoints / "mine-0123"):
        raise OSError("no space left")
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


@pytest.mark.parametrize("broken", [False, True])
def test_replacing_without_rename_exchange(saved, monkeypatch, broken):
    checkpoints, network = saved
    path, rename = checkpoints / "mine-0123", os.rename
    monkeypatch.setattr("backbones.atomic_files._try_atomic_exchange", lambda one, other: False)

    def failing(source, target):
        if source.parent == path.parent and target == path:
            raise OSError("the disk went away")
        rename(source, target)

    if broken:
        monkeypatch.setattr("os.rename", failing)
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    if broken:
        with pytest.raises(BackboneError, match="cannot write"):
            backbones.save_checkpoint(path, other, {"name": "mine"})
    else:
        backbones.save_checkpoint(path, other, {"name": "mine"})
    kept = network if broken else other
    assert backbones.load("mine", checkpoints).weights_hash == kept.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


KILLED = """
import os, signal, sys
from pathlib import Path
import backbones.atomic_files as atomic_files
path, rename = Path(sys.argv[1]), os.rename
atomic_files._try_atomic_exchange = lambda first, second: False
def killed(source, target):
    if Path(target) == path:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = killed
with atomic_files.atomic_write_dir(path) as temp_dir:
    (temp_dir / "card.json").write_text("{}")
"""


@pytest.fixture
def displaced(saved):
    """Checkpoints after a kill between the two renames, where names cannot be exchanged."""
    checkpoints, network = saved
    path = checkpoints / "mine-0123"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], timeout=600, capture_output=True)
    assert killed.returncode == -signal.SIGKILL and not path.exists(), killed.stderr
    return checkpoints, network


def test_the_only_copy_of_a_checkpoint_is_found_after_a_kill(displaced):
    checkpoints, network = displaced
    assert list(backbones.entries(checkpoints)) == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash


def test_the_only_copy_of_a_checkpoint_is_found_by_its_folder_after_a_kill(displaced):
    checkpoints, network = displaced
    assert backbones.load(f"tiny_mobilenet@{checkpoints / 'mine-0123'}").weights_hash == network.weights_hash


def test_the_only_copy_of_a_checkpoint_is_put_back_instead_of_removed(displaced):
    checkpoints, network = displaced
    remove_stale_temp_files(checkpoints)
    assert not (checkpoints / "mine-0123").exists(), "a process that is running is about to replace it"
    for path in checkpoints.iterdir():
        os.utime(path, (0, 0))
    remove_stale_temp_files(checkpoints)
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash


def test_a_displaced_checkpoint_is_removed_where_it_has_been_replaced(displaced):
    checkpoints, _ = displaced
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    os.rename(next(checkpoints.glob(".mine-0123.*.displaced.aside")), checkpoints.parent / "hidden")
    backbones.save_checkpoint(checkpoints / "mine-0123", other, {"name": "mine"})
    os.rename(checkpoints.parent / "hidden", checkpoints / ".mine-0123.x.displaced.aside")
    for path in checkpoints.glob(".*"):
        os.utime(path, (0, 0))
    remove_stale_temp_files(checkpoints)
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == other.weights_hash


def test_readers_that_put_a_folder_back_do_not_disturb_its_replacement(saved, monkeypatch):
    checkpoints, _ = saved
    path, rename, times = checkpoints / "mine-0123", os.rename, []
    monkeypatch.setattr("backbones.atomic_files._try_atomic_exchange", lambda one, other: False)

    def with_reader(source, target):
        if Path(target) == path and Path(source).parent == checkpoints and len(times) < 3:
            times.append(1)
            monkeypatch.setattr("os.rename", rename)
            assert list(backbones.entries(checkpoints)) == ["mine-0123"]
            monkeypatch.setattr("os.rename", with_reader)
        rename(source, target)

    monkeypatch.setattr("os.rename", with_reader)
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    backbones.save_checkpoint(path, other, {"name": "mine"})
    assert len(times) == 3 and backbones.load("mine", checkpoints).weights_hash == other.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]
