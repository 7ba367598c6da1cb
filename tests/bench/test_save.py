"""Benchmark results in a real MLflow database."""

from harness.bench.figure import Measurement
from harness.bench.save import EXPERIMENT, log_measurements, metrics_by_name
from harness.tracking import locate, open_tracker, tracked_records
from harness.tracking.environment import environment
from harness.utils.store import Store


def test_each_save_adds_a_step(tmp_path):
    from mlflow.tracking import MlflowClient

    slow = Measurement("smoothing mean", "all radii", 3.0, "s", "loop", 300.0, 100.0, least=200.0)
    fast = Measurement("smoothing mean", "all radii", 1.5, "s", "loop", 300.0, 200.0, least=200.0, floor=0.5)
    assert [log_measurements([one], Store(tmp_path)) for one in (slow, fast)] == [0, 1]
    client = MlflowClient(locate(Store(tmp_path)).uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_name.startswith(f"bench {environment()['host']}") and run.info.status == "FINISHED"
    curves = {
        name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    assert curves["smoothing mean/ratio"] == [(0, 100.0), (1, 200.0)]
    assert curves["smoothing mean/value"] == [(0, 3.0), (1, 1.5)]
    assert curves["smoothing mean/reached"] == [(0, 0.0), (1, 1.0)]
    assert curves["smoothing mean/floor"] == [(1, 0.5)]
    assert run.data.tags["commit.1"] == str(environment()["git_commit"]) and "dirty.0" in run.data.tags
    assert tracked_records(Store(tmp_path)) == [] and open_tracker(Store(tmp_path)).finished_job_ids() == set()


def test_metric_names_are_valid_in_mlflow():
    odd = Measurement("16 mlp jobs (GPU), 5×", "", 1.0, "s")
    assert metrics_by_name([odd]) == {"16 mlp jobs _GPU__ 5_/value": 1.0, "16 mlp jobs _GPU__ 5_/reached": 1.0}
    assert metrics_by_name([Measurement("a", "", float("nan"), "s")]) == {"a/reached": 1.0}
