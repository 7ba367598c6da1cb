"""File systems whose flock fails: files stand for locks, and end with the process that holds them."""

import errno
import fcntl
import os
import signal
import time

import filelock
import pytest

from harness.features.chunk_locks import ChunkLocks
from harness.utils import locks
from harness.utils.locks import MARKER, ProcessLock, entry_lock

CODES = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL]


@pytest.fixture(params=CODES, ids=errno.errorcode.get)
def no_flock(request, monkeypatch):
    def fail(handle, operation):
        if not operation & fcntl.LOCK_UN:
            raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", fail)
    monkeypatch.setattr(locks, "_devices_without_locks", set())
    return request.param


def test_a_marker_is_the_lock(no_flock, tmp_path, logged):
    with entry_lock(tmp_path / "entry"):
        assert {path.name for path in tmp_path.iterdir()} == {".entry.lock", f".entry.lock{MARKER}"}
        second = ProcessLock(tmp_path / ".entry.lock")
        with pytest.raises(filelock.Timeout):
            second.acquire(0.05)
        assert second.has_marker
    assert {path.name for path in tmp_path.iterdir()} == {".entry.lock"}
    second.acquire(0)
    second.release()
    assert len(logged) == 1
    assert f"the file system of {tmp_path} has no file locks ({os.strerror(no_flock)})" in logged[0]
    assert "*.lock.held" in logged[0] and "delete it" in logged[0]


def test_lock_of_a_killed_process_is_released(no_flock, tmp_path):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        held = ProcessLock(tmp_path / "a.lock")
        held.acquire(0)
        os.write(write, b"x")
        time.sleep(60)
        os._exit(0)
    assert os.read(read, 1) == b"x"
    lock = ProcessLock(tmp_path / "a.lock")
    with pytest.raises(filelock.Timeout):
        lock.acquire(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    lock.acquire(5)
    lock.release()


def test_chunks_are_shared(no_flock, tmp_path):
    with ChunkLocks(tmp_path) as first, ChunkLocks(tmp_path) as second:
        number, _ = next(first.iter_available(["a", "b"], lambda chunk: False))
        assert number == 0
        assert [chunk for _, chunk in second.iter_available(["a", "b"], lambda chunk: False)] == ["b"]


def test_waiting_names_the_file(no_flock, tmp_path, capsys):
    child = os.fork()
    if child == 0:
        with entry_lock(tmp_path / "entry"):
            time.sleep(1)
        os._exit(0)
    while not (tmp_path / f".entry.lock{MARKER}").exists():
        time.sleep(0.01)
    with entry_lock(tmp_path / "entry", "the entry"):
        pass
    os.waitpid(child, 0)
    assert f"creating the entry (its lock is {tmp_path}/.entry.lock{MARKER})" in capsys.readouterr().err


def test_other_errors_are_raised(tmp_path, monkeypatch):
    def fail(handle, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output error"):
        ProcessLock(tmp_path / "a.lock").acquire(0)
