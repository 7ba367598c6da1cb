"""Processes that share a store, are killed, or only read."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.tracking import locate, open_tracker, tracked_records
from harness.tracking.mlflow_api import MlflowClient
from harness.utils.store import Store

ROOT = Path(__file__).resolve().parents[2]

LOG_SOME = """
import sys
import time
from harness.tracking import open_tracker
from harness.utils.store import Store
from tests.helpers.records import record
store, first = Store(sys.argv[1]), int(sys.argv[2])
tracker = open_tracker(store)
parent = tracker.start_study(f"recipe{first}", f"study{first}")
for number in range(first, first + 5):
    tracker.log_record(record(group=f"{number:012x}", value=number / 100), None, parent)
tracker.end_run(parent)
"""


def all_runs(store):
    client = MlflowClient(locate(Store(store)).uri)
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def start(store, first):
    return subprocess.Popen(
        [sys.executable, "-c", LOG_SOME, str(store), str(first)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_concurrent_processes_on_new_store(tmp_path):
    both = [start(tmp_path / "store", first) for first in (0, 3)]
    said = [process.communicate(timeout=600) for process in both]
    assert said == [("", "")] * 2 and [process.returncode for process in both] == [0, 0]
    assert sorted(r.group_id for r in tracked_records(Store(tmp_path / "store"))) == [f"{n:012x}" for n in range(8)]


@pytest.mark.slow
def test_repeated_after_kill_gives_the_same_board(tmp_path):
    began = time.monotonic()
    assert start(tmp_path / "whole", 0).communicate(timeout=600) == ("", "")
    taken = time.monotonic() - began
    expected = render(leaderboard_rows(tracked_records(Store(tmp_path / "whole"))), "json")
    killed = tmp_path / "killed"
    for share in (0.4, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        process = start(killed, 0)
        try:
            process.wait(taken * share)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
    assert start(killed, 0).communicate(timeout=600) == ("", "")
    assert render(leaderboard_rows(tracked_records(Store(killed))), "json") == expected
    assert not list(killed.glob(".*.aside*")), "what a killed process was making is cleared away"
    statuses = {run.info.status for run in all_runs(killed)}
    assert statuses == {"FINISHED"}


def test_incomplete_database_is_removed(tmp_path):
    (tmp_path / ".mlflow.db.abc.aside").write_bytes(b"half")
    (tmp_path / ".mlflow.db.abc.aside-journal").write_bytes(b"half")
    open_tracker(Store(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_reading_a_board_does_not_import_mlflow(tmp_path):
    open_tracker(Store(tmp_path))
    code = (
        "import sys; from harness.tracking import tracked_records;"
        "from harness.leaderboard.rows import leaderboard_rows;"
        "from harness.utils.store import Store;"
        f"leaderboard_rows(tracked_records(Store({str(tmp_path)!r})));"
        "sys.exit(','.join(sorted({'mlflow', 'torch', 'pandas', 'optuna'} & sys.modules.keys())) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
