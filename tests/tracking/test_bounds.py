"""A server that never ends its answers, a locked database and a full disk end with a message, not with a traceback."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.cli import main
from harness.tracking import (
    bounded_client,
    client,
    location,
    mlflow_api,
    open_tracker,
    tracked_records,
    waiting_connection,
)
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.records import record

EXPERIMENT = {"experiment_id": "1", "name": "framelight", "artifact_location": "x", "lifecycle_stage": "active"}


@contextmanager
def serving(answer):
    """A server on loopback whose handler calls `answer(handler, path)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            with suppress(OSError):  # the client has gone
                answer(self, self.path)

        do_POST = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def send(handler, value):
    body = json.dumps(value).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler, path):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def test_server_that_drips_ends_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded_client, "PING_SECONDS", 1.0)

    began = time.monotonic()
    with serving(drip) as uri, pytest.raises(FramelightError, match=r"did not complete its answer within 1 s"):
        tracked_records(Store(tmp_path, uri))
    assert time.monotonic() - began < 150


def test_server_that_drips_after_the_first_answer_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded_client, "CALL_SECONDS", 1.0)
    answered = []

    def answer_once(handler, path):
        if not answered:
            answered.append(path)
            send(handler, {"experiments": [EXPERIMENT]})
            return
        drip(handler, path)

    began = time.monotonic()
    with serving(answer_once) as uri, pytest.raises(FramelightError, match=r"did not complete its answer within 1 s"):
        tracked_records(Store(tmp_path, uri))
    assert time.monotonic() - began < 150


@pytest.mark.parametrize("tokens", ["same", "new"])
def test_endless_pages_end(tmp_path, monkeypatch, tokens):
    monkeypatch.setattr(client, "MAX_PAGES", 20)
    pages = []

    def page(handler, path):
        pages.append(path)
        token = "again" if tokens == "same" else str(len(pages))
        send(handler, {"experiments": [EXPERIMENT], "runs": [], "next_page_token": token})

    with serving(page) as uri, pytest.raises(FramelightError, match="repeats a page|20 pages, the most that are read"):
        tracked_records(Store(tmp_path, uri))
    assert len(pages) < 60


def test_large_response_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(mlflow_api, "MAX_RESPONSE_BYTES", 2**20)
    sent = []

    def flood(handler, path):
        if len(sent) < 1:  # the health check
            sent.append(0)
            send(handler, {"experiments": [EXPERIMENT]})
            return
        handler.send_response(200)
        handler.end_headers()
        for _ in range(2**12):
            handler.wfile.write(bytes(2**16))
            sent.append(2**16)

    with (
        serving(flood) as uri,
        pytest.raises(FramelightError, match="more than 1,048,576 bytes, the most that are read"),
    ):
        tracked_records(Store(tmp_path, uri))
    assert sum(sent) < 2**26


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


@pytest.fixture
def limited_pages(monkeypatch):
    """Every database that is opened has room for no more pages, as on a full disk."""
    connect = sqlite3.dbapi2.connect
    full = []

    def limited(*arguments, **options):
        connection = connect(*arguments, **options)
        if full:
            connection.execute("PRAGMA max_page_count = 1")  # sqlite takes the present size
        return connection

    monkeypatch.setattr(sqlite3.dbapi2, "connect", limited)
    return full


def test_full_disk_is_said_without_traceback(tmp_path, limited_pages, capfd):
    store = Store(tmp_path)
    open_tracker(store)
    limited_pages.append(True)
    tracker = open_tracker(store)
    with pytest.raises(FramelightError, match=r"failed \(the disk is full\); free some space"):
        study = tracker.start_study("small", "s")
        for number in range(300):
            tracker.log_record(record(job_id=f"{number:012x}-s0"), None, study)
    assert "Traceback" not in capfd.readouterr().err


def test_leaderboard_of_endless_server_prints_one_line(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(bounded_client, "PING_SECONDS", 0.5)

    def silent(handler, path):
        time.sleep(3)

    with serving(silent) as uri:
        assert main(["leaderboard", "--store", str(tmp_path), "--tracking-uri", uri]) == 1
    assert capfd.readouterr().err.count("\n") == 1
