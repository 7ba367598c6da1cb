"""Commands wait for a database that another process has locked, and say so."""

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from harness.cli import main
from harness.tracking import bounded_client, location, open_tracker, waiting_connection
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.records import record

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(store):
    """A process that holds sqlite's lock of the store's database."""
    database = str(store.resolve().mlflow_database)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, database], stdin=-1, stdout=-1, text=True)
    assert holder.stdout.readline() == "locked\n"
    yield holder
    if holder.poll() is None:
        holder.communicate("\n")


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO")
    return caplog


def write(database):
    with closing(sqlite3.connect(database, timeout=0.1, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        return "written"


def release_after_message(holder, said):
    def wait():
        for _ in range(1200):
            if any("waiting: the database" in message for message in said.messages):
                break
            time.sleep(0.05)
        holder.stdin.write("\n")
        holder.stdin.flush()

    threading.Thread(target=wait).start()


def test_call_is_repeated_while_the_database_is_locked(tmp_path, said, monkeypatch):
    monkeypatch.setattr(bounded_client, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(bounded_client, "FIRST_MESSAGE_SECONDS", 0.2)
    store = Store(tmp_path)
    database = store.resolve().mlflow_database
    with locked(store) as holder:
        monkeypatch.setattr(bounded_client, "DATABASE_SECONDS", 0.3)
        with pytest.raises(FramelightError, match=f"locked by process {holder.pid} .python.*wait for it or end it"):
            bounded_client.call_when_unlocked(lambda: write(database), database)
        monkeypatch.setattr(bounded_client, "DATABASE_SECONDS", 60)
        said.clear()
        release_after_message(holder, said)
        assert bounded_client.call_when_unlocked(lambda: write(database), database) == "written"
    assert f"is locked by process {holder.pid} (python" in said.text
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        bounded_client.call_when_unlocked(lambda: write(tmp_path / "no" / "folder"), database)


@pytest.fixture
def impatient(monkeypatch):
    """Locks are reported after a moment."""
    monkeypatch.setattr(bounded_client, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(bounded_client, "FIRST_MESSAGE_SECONDS", 0.1)
    monkeypatch.setattr(waiting_connection, "TIMEOUT_SECONDS", 0.05)


def test_leaderboard_names_the_process_that_it_waits_for(tmp_path, empty_store, monkeypatch, capfd, impatient):
    store = Store(shutil.copytree(empty_store, tmp_path / "store"))
    with locked(store) as holder:

        def release_when_reported(message):
            if "waiting" in message.getMessage():
                print(file=holder.stdin, flush=True)
            return True

        monkeypatch.setattr(bounded_client.logger, "filters", [release_when_reported])
        assert main(["leaderboard", "--store", str(store)]) == 0
    message = f"waiting: the database {store.mlflow_database} is locked by process {holder.pid} (python"
    assert capfd.readouterr().err.count(message) == 1


def test_searches_wait_for_each_statement(tmp_path, said, impatient):
    store = Store(tmp_path)
    database = store.mlflow_database
    with closing(sqlite3.connect(database, **waiting_connection.connect_options(database))) as connection:
        connection.execute("CREATE TABLE trials (number)")
        connection.commit()
        with locked(store) as holder:
            release_after_message(holder, said)
            connection.execute("INSERT INTO trials VALUES (1)")
        connection.commit()
        assert connection.execute("SELECT * FROM trials").fetchall() == [(1,)]
    assert f"is locked by process {holder.pid} (python" in said.text


def test_own_writes_are_not_reported(tmp_path, said, impatient):
    database = tmp_path / "own.db"
    reporter = bounded_client.LockReporter(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, reporter.watch():
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(0.5)
    assert not said.messages


@pytest.mark.slow
def test_locked_database_is_waited_for(tmp_path, said, capfd):
    store = Store(tmp_path)
    tracker = open_tracker(store)
    study = tracker.start_study("small", "s")
    with locked(store) as holder:
        release_after_message(holder, said)
        assert tracker.log_record(record(), None, study)
    assert f"is locked by process {holder.pid} (python" in said.text
    assert "Traceback" not in capfd.readouterr().err and len(tracker.records()) == 1


@pytest.mark.slow
def test_database_that_stays_locked_is_named_with_its_holder(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(bounded_client, "DATABASE_SECONDS", 0.5)
    store = Store(tmp_path)
    open_tracker(store)
    with locked(store) as holder, pytest.raises(FramelightError) as raised:
        open_tracker(store)
    text = str(raised.value)
    assert f"has been locked by process {holder.pid} (python" in text and "wait for it or end it" in text
    assert "disk" not in text and "room" not in text
    assert "Traceback" not in capfd.readouterr().err


def test_waiting_for_the_lock_of_a_location_is_said(tmp_path, monkeypatch, said):
    monkeypatch.setattr(location, "MESSAGE_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(location, "LOCK_SECONDS", 0.3)
    place = location.locate(Store(tmp_path))
    error = pytest.raises(FramelightError, match=r"has held .*lock for 0\.3 s")
    with location.lock_location(place), error, location.lock_location(place):
        pass
    assert "that is writing to sqlite" in said.text
    with location.lock_location(place):
        pass
