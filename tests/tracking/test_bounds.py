"""A server that never ends its answers and a full disk end with a message, not with a traceback."""

import json
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.cli import main
from harness.tracking import bounded_client, client, mlflow_api, open_tracker, tracked_records
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

    with serving(page) as uri, pytest.raises(FramelightError, match="repeats a page|or 20 pages"):
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

    with serving(flood) as uri, pytest.raises(FramelightError, match="larger than the limit of 1,048,576 bytes"):
        tracked_records(Store(tmp_path, uri))
    assert sum(sent) < 2**26


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
