"""File systems whose flock fails: files stand for locks, and end with the process that holds them."""

import errno
import fcntl
import os
import select
import signal
import socket
import sys
import time
from types import SimpleNamespace

import filelock
import pytest

from harness.features.chunk_locks import ChunkLocks
from harness.utils import locks, marker_lock
from harness.utils.locks import MARKER, MIN_FAILURES, ProcessLock, entry_lock
from harness.utils.marker_lock import MarkerLock

CODES = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL]


@pytest.fixture(params=CODES, ids=errno.errorcode.get)
def no_flock(request, monkeypatch):
    def fail(handle, operation):
        if not operation & fcntl.LOCK_UN:
            raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", fail)
    monkeypatch.setattr(locks, "_devices_without_locks", set())
    monkeypatch.setattr(locks, "FAILURE_SECONDS", 0)
    return request.param


def test_a_marker_is_the_lock(no_flock, tmp_path, logged):
    with entry_lock(tmp_path / "entry"):
        assert {path.name for path in tmp_path.iterdir()} == {".entry.lock", f".entry.lock{MARKER}"}
        second = ProcessLock(tmp_path / ".entry.lock")
        with pytest.raises(filelock.Timeout):
            second.acquire(0.05)
        assert str(tmp_path / f".entry.lock{MARKER}") in second.marker_note
    assert {path.name for path in tmp_path.iterdir()} == {".entry.lock"}
    second.acquire(0)
    second.release()
    assert len(logged) == 1
    assert f"the file system of {tmp_path} has no file locks ({os.strerror(no_flock)})" in logged[0]
    assert "*.lock.held" in logged[0] and "delete the file" in logged[0]


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


def test_waiting_names_the_file(no_flock, tmp_path, monkeypatch):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with entry_lock(tmp_path / "entry"):
            select.select([read], [], [], 60)
        os._exit(0)
    while not (tmp_path / f".entry.lock{MARKER}").exists():
        time.sleep(0.01)
    written = []
    monkeypatch.setattr(
        sys, "stderr", SimpleNamespace(write=lambda text: written.append(text) or os.write(write, b"x"))
    )
    with entry_lock(tmp_path / "entry", "the entry"):
        pass
    os.waitpid(child, 0)
    [text] = written
    assert f"writing the entry (its lock is {tmp_path}/.entry.lock{MARKER}; delete this file only if" in text


@pytest.mark.parametrize("failures", [1, MIN_FAILURES - 1, MIN_FAILURES + 3])
def test_a_busy_lock_server_is_asked_again(tmp_path, monkeypatch, failures):
    """One process has the lock of the file system; another must not get a marker beside it."""
    monkeypatch.setattr(locks, "FAILURE_SECONDS", 0)
    first, second = ProcessLock(tmp_path / "a.lock"), ProcessLock(tmp_path / "a.lock")
    first.acquire(0)
    fail_on_file(tmp_path / "a.lock", monkeypatch, failures)
    with pytest.raises(filelock.Timeout):
        second.acquire(0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"] and not second.marker_note
    first.release()
    second.acquire(0)
    second.release()


def test_error_of_one_file_is_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "FAILURE_SECONDS", 0)
    fail_on_file(tmp_path / "a.lock", monkeypatch, 10_000)
    with pytest.raises(OSError, match="No locks available"):
        ProcessLock(tmp_path / "a.lock").acquire(0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]


def fail_on_file(path, monkeypatch, failures):
    """Let the next locks of a file fail, and none of other files."""
    flock, left = fcntl.flock, [failures]

    def fail(handle, operation):
        if left[0] and not operation & fcntl.LOCK_UN and os.path.samestat(os.fstat(handle), path.stat()):
            left[0] -= 1
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", fail)


def test_a_marker_counts_where_locks_work(tmp_path):
    marker, lock = MarkerLock(tmp_path / f"a.lock{MARKER}"), ProcessLock(tmp_path / "a.lock")
    with marker.acquire(0):
        with pytest.raises(filelock.Timeout):
            lock.acquire(0.1)
        assert lock.marker_note
        with filelock.FileLock(tmp_path / "a.lock", timeout=0):
            pass  # it is free again
    lock.acquire(0)
    lock.release()
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]


@pytest.mark.parametrize("is_here", [True, False])
def test_marker_of_another_namespace_stays(tmp_path, monkeypatch, is_here):
    """A process id of another container cannot be looked up, also if the containers have one host name."""
    child = os.fork()
    if child == 0:
        if not is_here:
            marker_lock.machine_name = lambda: f"{socket.gethostname()}/pid:1"
        held = MarkerLock(tmp_path / f"a.lock{MARKER}")
        held.acquire(0)
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / f"a.lock{MARKER}").exists()
    lock = ProcessLock(tmp_path / "a.lock")
    if is_here:
        lock.acquire(5)
        lock.release()
    else:
        with pytest.raises(filelock.Timeout):
            lock.acquire(0.1)
    assert (tmp_path / f"a.lock{MARKER}").exists() is not is_here


def test_other_errors_are_raised(tmp_path, monkeypatch):
    def fail(handle, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output error"):
        ProcessLock(tmp_path / "a.lock").acquire(0)
