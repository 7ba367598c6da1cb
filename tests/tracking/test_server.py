"""Tracking on a real MLflow server on localhost, and its failures."""

import os
import socket
import subprocess
import threading
import time

import pytest

from harness.cli import main
from harness.leaderboard.significance import SignificanceCache
from harness.tracking import TrackingUnavailableError, locate, open_tracker, remote_job_files, tracked_records
from harness.tracking.client import HEALTH_CHECK_ENVIRONMENT
from harness.tracking.ui import ENVIRONMENT, ui_command
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from tests.helpers.job_statistics import keep
from tests.helpers.mlflow_server import free_port, wait_for
from tests.helpers.records import record


def test_missing_server_raises_immediately(tmp_path):
    uri = f"http://127.0.0.1:{free_port()}"
    for ask in (open_tracker, tracked_records):
        began = time.monotonic()
        with pytest.raises(FramelightError, match=f"{uri} does not answer.*--tracking-uri"):
            ask(Store(tmp_path, uri))
        assert time.monotonic() - began < 100


def test_unresponsive_server_times_out(tmp_path, monkeypatch):
    monkeypatch.setitem(HEALTH_CHECK_ENVIRONMENT, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        began = time.monotonic()
        with pytest.raises(FramelightError, match="does not answer"):
            open_tracker(Store(tmp_path, f"http://127.0.0.1:{deaf.getsockname()[1]}"))
        assert time.monotonic() - began < 100


def test_other_server_is_rejected(tmp_path):
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>nothing here</html>")

        do_POST = do_GET

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(FramelightError, match="does not answer"):
            open_tracker(Store(tmp_path, f"http://127.0.0.1:{other.server_port}"))
        other.shutdown()


@pytest.mark.slow
def test_lost_server_gets_the_rest_from_the_next_run(tmp_path, server, capfd):
    store, folder = tmp_path / "store", tmp_path / "job"
    folder.mkdir()
    (folder / "predictions.npz").write_bytes(b"frames")
    done = [record(group=f"{n:012x}") for n in range(3)]
    tracker = open_tracker(Store(store, server.uri))
    parent = tracker.start_study("quickstart", "s")
    run_id = tracker.log_record(done[0], folder, parent)
    assert (server.folder / "artifacts").exists() and list(server.folder.rglob("predictions.npz"))
    server.stop()
    began = time.monotonic()
    for job in done[1:]:
        with pytest.raises(TrackingUnavailableError, match=f"{server.uri} no longer answers.*next run sends"):
            tracker.log_record(job, folder, parent)
    assert time.monotonic() - began < 30
    server.start()
    again = open_tracker(Store(store, server.uri))
    assert again.finished_job_ids() == {done[0].job_id}
    assert again.start_study("quickstart", "s") == parent and again.log_record(done[0], folder, parent) == run_id
    for job in done[1:]:
        again.log_record(job, folder, parent)
    again.end_run(parent)
    expected = [job.light() for job in done]
    assert sorted(tracked_records(Store(tmp_path / "elsewhere", server.uri)), key=lambda r: r.group_id) == expected
    assert not (tmp_path / "elsewhere").exists(), "reading writes nothing"
    assert capfd.readouterr() == ("", ""), "MLflow's own lines are kept from the user"


@pytest.mark.slow
def test_ui_of_a_store_answers_on_loopback(tmp_path):
    tracker = open_tracker(Store(tmp_path))
    tracker.end_run(tracker.start_study("r", "s"))
    argv, url = ui_command(locate(Store(tmp_path)), free_port())
    process = subprocess.Popen(
        argv,
        cwd=tmp_path,
        env={**os.environ, **ENVIRONMENT},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"{url}/health", process)
        assert b"<title>MLflow</title>" in wait_for(url, process)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_ui_without_runs_raises(tmp_path):
    with pytest.raises(InputError, match="there are no tracked runs at"):
        ui_command(locate(Store(tmp_path / "none")))
    with pytest.raises(InputError, match="open this address"):
        ui_command(locate(Store(tmp_path, "http://example.org:5000")))


def test_ui_takes_a_free_port(tmp_path):
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 5000))
            taken.listen()
        except OSError:
            pass
        argv, url = ui_command(locate(Store(tmp_path)))
        assert url.startswith("http://127.0.0.1:50") and not url.endswith(":5000") and "--host" in argv


def test_statistics_of_another_stores_jobs_come_with_the_tracking(tmp_path, store):
    """One machine ran the job and tracked it in a database that both see; the other has never seen its folder."""
    ran, elsewhere, uri = tmp_path / "ran", tmp_path / "elsewhere", f"sqlite:///{store / 'mlflow.db'}"
    own, lacking = keep(ran, "a", 0.6, seeds=(0, 1)), keep(ran, "b", 0.4, seeds=(0,))
    tracker = open_tracker(Store(ran, uri))
    study = tracker.start_study("r", "s")
    for job in own:
        tracker.log_record(job, ran / "artifacts" / "jobs" / job.job_id, study)
    tracker.log_record(lacking[0], None, study)
    asked = SignificanceCache(Store(elsewhere), remote_job_files(Store(elsewhere, uri)))
    assert asked.interval(own) == SignificanceCache(Store(ran)).interval(own) is not None
    assert asked.interval(lacking) is None, "tracked without its files"
    assert SignificanceCache(Store(elsewhere)).interval(own) is not None, "fetched once, kept in the store"
    assert remote_job_files(Store(ran)) is None, "what a store's own database lacks, nobody has"


def test_large_statistics_are_not_downloaded(tmp_path, store, monkeypatch, logged):
    """The other jobs keep their intervals."""
    ran, elsewhere, uri = tmp_path / "ran", tmp_path / "elsewhere", f"sqlite:///{store / 'mlflow.db'}"
    large, small = keep(ran, "large", 0.6, seeds=(0,)), keep(ran, "small", 0.5, seeds=(0,))
    folders = {job.job_id: ran / "artifacts" / "jobs" / job.job_id for job in (*large, *small)}
    with (folders["large-s0"] / "statistics.npz").open("ab") as file:
        file.write(bytes(2**20))
    tracker = open_tracker(Store(ran, uri))
    study = tracker.start_study("r", "s")
    for job in (*large, *small):
        tracker.log_record(job, folders[job.job_id], study)
    monkeypatch.setattr("harness.tracking.downloads.MAX_DOWNLOAD_BYTES", 2**20)
    asked = SignificanceCache(Store(elsewhere), remote_job_files(Store(elsewhere, uri)))
    assert asked.interval(large) is None and asked.interval(small) is not None
    assert len(logged) == 1 and "statistics.npz of MLflow run" in logged[0] and "more than 1 MiB" in logged[0]
    assert len(list(elsewhere.rglob("*.npz"))) == 1


def test_runs_of_another_store_are_compared_through_the_tracking(tmp_path, store, capsys):
    ran, elsewhere, uri = tmp_path / "ran", tmp_path / "elsewhere", f"sqlite:///{store / 'mlflow.db'}"
    tracker = open_tracker(Store(ran, uri))
    study = tracker.start_study("r", "s")
    for job in [*keep(ran, "aaaa", 0.6), *keep(ran, "bbbb", 0.4)]:
        tracker.log_record(job, ran / "artifacts" / "jobs" / job.job_id, study)
    tracker.log_record(keep(ran, "cccc", 0.4, seeds=(0,))[0], None, study)
    at = ["--store", str(elsewhere), "--tracking-uri", uri]
    assert main(["compare", "aaaa", "bbbb", *at]) == 0
    there = capsys.readouterr().out
    assert main(["compare", "aaaa", "bbbb", "--store", str(ran), "--tracking-uri", uri]) == 0
    assert capsys.readouterr().out == there and "A is better than B" in there
    assert main(["compare", "aaaa", "cccc", *at]) == 2
    assert "cccc-s0 is tracked, but its statistics are not in this store" in (said := capsys.readouterr().err)
    assert "nor on the tracking server" in said


@pytest.mark.slow
def test_statistics_come_from_a_server(tmp_path, server):
    own = keep(tmp_path / "ran", "a", 0.6, seeds=(0, 1))
    tracker = open_tracker(Store(tmp_path / "ran", server.uri))
    study = tracker.start_study("r", "s")
    for job in own:
        tracker.log_record(job, tmp_path / "ran" / "artifacts" / "jobs" / job.job_id, study)
    elsewhere = Store(tmp_path / "elsewhere", server.uri)
    there = SignificanceCache(elsewhere, remote_job_files(elsewhere))
    assert there.interval(own) == SignificanceCache(Store(tmp_path / "ran")).interval(own) is not None
