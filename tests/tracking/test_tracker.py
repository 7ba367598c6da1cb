"""Tracking in the SQLite database of a store, read back through MLflow."""

import json
import os
import runpy
import sqlite3
from pathlib import Path

import mlflow
import pytest

from harness.tracking import locate, mlflow_api, open_tracker, tracked_records
from harness.tracking.client import Connection
from harness.tracking.mlflow_api import MlflowClient
from harness.tracking.reader import query_tagged_runs
from harness.tracking.record_json import to_json
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from tests.helpers.records import record

CURVE = {"mean": {"radius": [0, 1, 2], "reported": [0.1, 0.3, 0.2], "selected": [0.2, 0.4, 0.3]}}


def files(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "predictions.npz").write_bytes(b"frames" * 1000)
    return folder


def runs_of(store, condition=""):
    client = MlflowClient(locate(Store(store)).uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    return client, client.search_runs(experiments, condition)


def test_blank_variables_count_as_not_set(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", " ")
    connection = Connection(locate(Store(store)))
    assert connection.client.get_experiment(connection.experiment).name.startswith("framelight")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", " ")
    runpy.run_path(mlflow_api.__file__)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "30"


def test_job_is_logged_with_params_metrics_and_artifacts(store, tmp_path):
    tracker, folder = open_tracker(Store(store)), files(tmp_path)
    parent = tracker.start_study("quickstart", "study1", {"epochs": 3}, {"space": "abc"})
    tracker.data_source = tmp_path
    run_id = tracker.log_record(
        record(curve=CURVE, environment={"git_commit": "c0ffee", "git_dirty": True, "cores": 2}),
        folder,
        parent,
        curves=[("epoch/loss", 0.7, 1), ("epoch/loss", 0.5, 2)],
    )
    tracker.end_run(parent)
    client, _ = runs_of(store)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED" and run.info.end_time - run.info.start_time == 3000
    assert run.data.tags["mlflow.parentRunId"] == parent and run.data.tags["environment.git_commit"] == "c0ffee"
    assert run.data.tags["environment.git_dirty"] == "true" and run.data.tags["framelight.kind"] == "run"
    assert run.data.params["head"] == "logistic_regression" and run.data.params["config.l2"] == "0.0001"
    assert run.data.params["split"] == "validation" and run.data.params["protocol"] == "held-out"
    assert run.data.metrics["P_EXPR"] == 0.5 and run.data.metrics["unsmoothed/P_EXPR"] == 0.48
    curve = client.get_metric_history(run_id, "curve/mean/P_EXPR")
    assert [(point.step, point.value) for point in curve] == [(0, 0.1), (1, 0.3), (2, 0.2)]
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("rendered", "d0d0d0d0d0d0")
    assert mlflow.data.get_source(data).uri == str(tmp_path)
    assert [(point.step, point.value) for point in client.get_metric_history(run_id, "epoch/loss")] == [
        (1, 0.7),
        (2, 0.5),
    ]
    assert run.info.run_name.startswith("expr on rendered: ") and run.info.run_name.endswith(" s0")
    assert [artifact.path for artifact in client.list_artifacts(run_id)] == ["predictions.npz"]
    kept = Path(run.info.artifact_uri.removeprefix("file://")) / "predictions.npz"
    assert kept.is_relative_to(store / "artifacts" / "mlflow") and kept.samefile(folder / "predictions.npz")
    study = client.get_run(parent)
    assert study.info.status == "FINISHED" and study.data.params == {"epochs": "3"}
    assert study.info.run_name == "quickstart" and study.data.tags["space"] == "abc"


def test_records_come_back_light_and_both_ways_of_reading_agree(store):
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("r", "s")
    long = record(group="b" * 12, config={"note": "é" * 3000, "l2": 0.1}, curve=CURVE)
    bad = record(group="c" * 12, status="failed", metrics={}, unsmoothed={}, error="out of memory at epoch 3")
    for one in (record(), long, bad, record(group="d" * 12, status="pruned")):
        tracker.log_record(one, None, parent)
    expected = sorted([record().light(), long.light(), bad.light()], key=lambda r: r.group_id)
    assert sorted(tracked_records(Store(store)), key=lambda r: r.group_id) == expected
    assert sorted(tracker.records(), key=lambda r: r.group_id) == expected
    assert tracker.finished_job_ids() == {record().job_id, long.job_id, f"{'d' * 12}-s0"}
    fast = {
        (run, status): tags
        for run, status, tags in query_tagged_runs(store / "mlflow.db")
        if "framelight.record" in tags
    }
    slow = {
        (run, status): {k: v for k, v in tags.items() if k.startswith("framelight.")}
        for run, status, tags in tracker.tagged_runs()
    }
    assert fast == slow and len(fast) == 4
    client, killed = runs_of(store, "attributes.status = 'KILLED'")
    assert len(killed) == 1
    _, [failed] = runs_of(store, "attributes.status = 'FAILED'")
    assert failed.data.tags["mlflow.note.content"] == "out of memory at epoch 3"


@pytest.mark.parametrize("text", ["{}", to_json(record(group="e" * 12))])
def test_a_job_with_an_unreadable_or_foreign_record_is_sent(store, text):
    tracker = open_tracker(Store(store))
    planted = tracker.log_record(record(), None, tracker.start_study("r", "s"))
    with sqlite3.connect(store / "mlflow.db") as database:
        database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = 'framelight.record'", (text, planted))
    assert tracker.finished_job_ids() == set()
    assert tracker.log_record(record(), None, tracker.start_study("r", "s")) != planted
    assert tracker.finished_job_ids() == {record().job_id}


def test_unknown_database_schema_is_read_by_mlflow(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE runs (run_uuid TEXT)")
    assert query_tagged_runs(other) is None
    (tmp_path / "rubbish.db").write_bytes(b"rubbish" * 500)
    assert query_tagged_runs(tmp_path / "rubbish.db") is None


def test_finished_job_is_logged_once_unless_it_is_to_be_replaced(store):
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("r", "s")
    first = tracker.log_record(record(value=0.5), None, parent)
    assert tracker.log_record(record(value=0.6), None, parent) == first
    assert [r.metrics["P_EXPR"] for r in tracker.records()] == [0.5]
    assert tracker.log_record(record(value=0.7), None, parent, replace=True) != first
    assert [r.metrics["P_EXPR"] for r in tracker.records()] == [0.7]


def test_finished_job_replaces_failed_one(store):
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("r", "s")
    tracker.log_record(record(status="failed", metrics={}, unsmoothed={}, error="boom"), None, parent)
    tracker.log_record(record(), None, parent)
    assert [r.status for r in tracker.records()] == ["finished"]


def test_stale_running_runs_are_removed(store):
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("r", "s")
    tracker.log_record(record(), None, parent)
    with sqlite3.connect(store / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET status = 'RUNNING'")
    tracker = open_tracker(Store(store))
    assert tracker.records() == [] and tracker.finished_job_ids() == set()
    assert tracker.start_study("r", "s") == parent
    tracker.log_record(record(), None, parent)
    _, runs = runs_of(store)
    assert sorted(run.info.status for run in runs) == ["FINISHED", "RUNNING"] and len(tracker.records()) == 1


def test_study_is_resumed_and_can_fail(store):
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("r", "one")
    tracker.end_run(parent, failed="2 of 3 jobs failed")
    client, [run] = runs_of(store)
    assert run.info.status == "FAILED" and run.data.tags["mlflow.note.content"] == "2 of 3 jobs failed"
    assert tracker.start_study("r", "one") == parent and tracker.start_study("r", "two") != parent
    assert client.get_run(parent).info.status == "RUNNING"


def test_runs_that_others_logged_are_read_and_foreign_ones_ignored(store, logged):
    client = MlflowClient(locate(Store(store)).uri)
    elsewhere = client.create_experiment("colleague")
    client.set_terminated(client.create_run(elsewhere, tags={"framelight.record": ""}).info.run_id)
    foreign = client.create_run(elsewhere, run_name="not ours").info.run_id
    client.set_terminated(foreign)
    assert tracked_records(Store(store)) == [] and "not a record" in logged.pop()
    for run in client.search_runs([elsewhere], "tags.`framelight.record` = ''"):
        client.delete_run(run.info.run_id)
    theirs = client.create_run(elsewhere, tags={"framelight.record": json.dumps({"schema": 9})})
    client.set_terminated(theirs.info.run_id)
    assert tracked_records(Store(store)) == [] and "newer version of Framelight (record schema 9" in logged.pop()
    client.delete_run(theirs.info.run_id)
    assert tracked_records(Store(store)) == [] and logged == []


def test_reading_an_empty_store_writes_nothing(tmp_path):
    assert tracked_records(Store(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()


def test_store_that_was_moved_keeps_its_runs_and_tracks_on(store, tmp_path):
    tracker = open_tracker(Store(store))
    tracker.log_record(record(), None, tracker.start_study("r", "s"))
    moved = tmp_path / "moved"
    store.rename(moved)
    tracker = open_tracker(Store(moved))
    tracker.log_record(record(group="e" * 12), files(tmp_path), tracker.start_study("r", "s"))
    assert len(tracked_records(Store(moved))) == 2 and not store.exists()


def test_invalid_tracking_locations_raise(tmp_path):
    for uri in ("./mlruns", "file:///tmp/mlruns", str(tmp_path)):
        with pytest.raises(InputError, match="folder"):
            open_tracker(Store(tmp_path, uri))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FramelightError, match="--store"):
        open_tracker(Store(tmp_path / "taken"))
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(FramelightError, match="mlflow.db"):
        open_tracker(Store(tmp_path))
    with pytest.raises(FramelightError, match="mlflow.db"):
        tracked_records(Store(tmp_path))
