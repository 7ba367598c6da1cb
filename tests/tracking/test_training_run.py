"""Training runs of backbones in the SQLite database of a store, read back through MLflow."""

import sqlite3

import pytest

from harness.tracking import locate, open_tracker, tracked_records
from harness.tracking.location import TrackingUnavailableError
from harness.tracking.mlflow_api import MlflowClient
from harness.tracking.training_run import TrainingRun
from harness.utils.store import Store
from tests.helpers.records import record

SETTINGS = {
    "training": {"type": "StillsConfig", "sam": 0.05, "expressions": {"weight_limit": float("inf")}},
    "revision": 2,
}
CURVE = [("all/loss", 0.9, 1), ("all/loss", 0.7, 2), ("all/value", 0.4, 1), ("all/value", 0.5, 2)]


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "card.json").write_text("{}")
    (folder / "confusion.png").write_bytes(b"a picture")
    return folder


def runs_of(store):
    client = MlflowClient(locate(Store(store)).uri)
    return client, client.search_runs([e.experiment_id for e in client.search_experiments()])


def begun(store, again=False):
    run = TrainingRun(open_tracker(Store(store)), "mine-0123", "mine")
    run.start(SETTINGS, again)
    return run


def curve(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def test_training_is_a_run_with_curves_params_metrics_and_files(store, report):
    run = begun(store)
    client, [seen] = runs_of(store)
    assert seen.info.status == "RUNNING", "seen while it is at work"
    run.log_epoch("all", 1, {"loss": 0.9, "value": 0.4, "rate": float("nan")})
    run.log_epoch("all", 2, {"loss": 0.7, "value": 0.5})
    run.finish(CURVE, {"expression_macro_f1": 0.5, "note": "no number"}, ("faces", "d0d0"), report)
    client, [run] = runs_of(store)
    assert run.info.status == "FINISHED" and run.info.run_name == "mine"
    assert run.data.tags["framelight.kind"] == "backbone" and "environment.packages" in run.data.tags
    assert run.data.params["training.sam"] == "0.05" and run.data.params["revision"] == "2"
    assert run.data.params["training.expressions.weight_limit"] == "Infinity"
    assert curve(client, run, "all/loss") == [(1, 0.9), (2, 0.7)]
    assert curve(client, run, "all/value") == [(1, 0.4), (2, 0.5)]
    assert run.data.metrics["expression_macro_f1"] == 0.5 and "note" not in run.data.metrics
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"card.json", "confusion.png"}
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("faces", "d0d0")


def test_killed_training_resumes_and_fills_gaps(store, report):
    begun(store).log_epoch("all", 1, {"loss": 0.9})
    _, [killed] = runs_of(store)
    run = begun(store)
    assert run.run_id == killed.info.run_id
    run.log_epoch("all", 1, {"loss": 0.8})
    run.finish(CURVE, {}, ("faces", "d0d0"), report)
    client, [whole] = runs_of(store)
    assert whole.info.run_id == killed.info.run_id and whole.info.status == "FINISHED"
    assert curve(client, whole, "all/loss") == [(1, 0.9), (2, 0.7)], "a step is there once, as it was first told"
    assert curve(client, whole, "all/value") == [(1, 0.4), (2, 0.5)]


def test_kill_before_all_params_were_sent_loses_none(store):
    run = begun(store)
    with sqlite3.connect(store / "mlflow.db") as connection:
        connection.execute("DELETE FROM params WHERE key = 'training.sam'")
    assert begun(store).run_id == run.run_id
    _, [whole] = runs_of(store)
    assert whole.data.params["training.sam"] == "0.05" and whole.data.params["revision"] == "2"


def test_finished_training_is_left_alone_unless_it_is_done_again(store, report):
    begun(store).finish(CURVE, {"value": 0.5}, ("faces", "d0d0"), report)
    _, [first] = runs_of(store)
    run = begun(store)
    assert run.run_id is None
    run.log_epoch("all", 1, {"loss": 9.0})
    run.finish([], {"value": 0.9}, ("faces", "d0d0"), report)
    assert [r.data.metrics["value"] for r in runs_of(store)[1]] == [0.5]
    again = begun(store, again=True)
    assert again.run_id not in (None, first.info.run_id) and len(runs_of(store)[1]) == 2
    again.finish(CURVE, {"value": 0.6}, ("faces", "d0d0"), report)
    assert [(r.info.run_id, r.data.metrics["value"]) for r in runs_of(store)[1]] == [(again.run_id, 0.6)]


def test_failed_training_is_resumed(store):
    run = begun(store)
    run.fail("interrupted")
    _, [failed] = runs_of(store)
    assert failed.info.status == "FAILED" and failed.data.tags["mlflow.note.content"] == "interrupted"
    assert begun(store).run_id == run.run_id and runs_of(store)[1][0].info.status == "RUNNING"


def test_trainings_and_results_are_separate(store, report):
    tracker = open_tracker(Store(store))
    begun(store).finish(CURVE, {"value": 0.5}, ("faces", "d0d0"), report)
    assert tracked_records(Store(store)) == [] and tracker.finished_job_ids() == set() and tracker.tagged_runs() == []
    tracker.log_record(record(), None, tracker.start_study("recipe", "study"))
    assert [r.job_id for r in tracked_records(Store(store))] == [record().job_id]
    assert tracker.finished_job_ids() == {record().job_id} and begun(store).run_id is None


class Gone:
    """A tracker whose server has died."""

    def __init__(self, tracker, after):
        self.tracker, self.left = tracker, after

    def __getattr__(self, name):
        self.left -= 1
        if self.left < 0:
            raise TrackingUnavailableError("no longer answers")
        return getattr(self.tracker, name)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_lost_server_keeps_the_training(store, report, after):
    run = TrainingRun(Gone(open_tracker(Store(store)), after), "mine-0123", "mine")
    run.start(SETTINGS)
    run.log_epoch("all", 1, {"loss": 0.9})
    run.finish(CURVE, {"value": 0.5}, ("faces", "d0d0"), report)
    assert run.lost == "no longer answers"
    begun(store).finish(CURVE, {"value": 0.5}, ("faces", "d0d0"), report)
    client, [whole] = runs_of(store)
    assert whole.info.status == "FINISHED" and curve(client, whole, "all/loss") == [(1, 0.9), (2, 0.7)]


def test_without_tracker_nothing_is_sent(report):
    run = TrainingRun(None, "mine-0123", "mine")
    run.start(SETTINGS)
    run.log_epoch("all", 1, {"loss": 0.9})
    run.finish(CURVE, {}, ("faces", "d0d0"), report)
    run.fail("never mind")
    assert run.run_id is None and run.lost is None
