"""`framelight run` and `framelight leaderboard` on the small recipe."""

import json
import shutil

import numpy as np
import pytest

from harness.cli import main
from harness.leaderboard import boards, published
from harness.leaderboard.boards import list_best_figures
from harness.leaderboard.published import ANNOTATED_ROWS, published_figures
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.records import CONTRACT_COLUMNS, record

NO_FIGURES = ("--set", "pictures=false")


def board(store, capsys, *arguments):
    capsys.readouterr()
    assert main(["leaderboard", "--store", str(store), "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_run_ends_with_its_leaderboard(finished):
    _, done = finished
    assert "P_EXPR" in done.stdout and "P_AU" in done.stdout
    assert "tiny_mobilenet (random)" in done.stdout
    assert f"{small_run.JOBS} jobs run, 0 already finished" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_run_prints_the_figure_folder_of_each_best_run(finished, capsys):
    store, done = finished
    first = {row["task"]: row["run_id"] for row in reversed(board(store, capsys)) if row["kind"] == "run"}
    assert len(first) == 2
    folders = {task: store / "artifacts/jobs" / f"{run}-s0" / "pictures" for task, run in first.items()}
    lines = [f"  {task}, held-out: {folder}" for task, folder in folders.items()]
    told = done.stderr.split("figures of the best run of each leaderboard:\n")[1].splitlines()
    assert sorted(told) == sorted(lines)
    assert all((folder / "f1.png").is_file() for folder in folders.values())


def test_board_without_figures_is_not_listed(tmp_path):
    runs = [
        record("a" * 12, value=0.3),
        record("b" * 12, value=0.4),
        record("c" * 12, value=0.9, kind="baseline"),
        record("d" * 12, value=0.5, protocol="published"),
    ]
    assert list_best_figures(Store(tmp_path), runs) == []
    for name in ("a", "b", "c"):
        (tmp_path / "artifacts/jobs" / f"{name * 12}-s0" / "pictures").mkdir(parents=True)
    best = f"{tmp_path}/artifacts/jobs/{'b' * 12}-s0/pictures"
    assert list_best_figures(Store(tmp_path), runs) == [f"  expr, held-out: {best}"]


def test_rows_have_the_documented_fields(finished, capsys):
    rows = board(finished[0], capsys)
    assert len(rows) == small_run.JOBS
    for row in rows:
        assert set(row) >= CONTRACT_COLUMNS
        assert (row["split"], row["protocol"], row["seeds"]) == ("validation", "held-out", [0])
        assert -1 <= row["value"] <= 1 and 0.8 < row["coverage"] <= 1
    assert {row["kind"] for row in rows} == {"run", "baseline"}
    assert {row["parameters"] > 0 for row in rows if row["kind"] == "run"} == {True}
    assert len(board(finished[0], capsys, "--task", "au")) == 4


def test_second_run_computes_nothing(finished, small_set, recipe_file, capsys):
    store, done = finished
    assert main(["run", str(recipe_file), "--data", str(small_set), "--store", str(store)]) == 0
    again = capsys.readouterr()
    assert again.out == done.stdout
    assert f"0 jobs run, {small_run.JOBS} already finished" in again.err


@pytest.mark.parametrize("file", ["statistics.npz", "reported.npz"])
def test_job_whose_files_are_damaged_is_computed_again(finished, small_set, recipe_file, tmp_path, capsys, file):
    store = shutil.copytree(finished[0], tmp_path / "store", copy_function=shutil.copy2)
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", str(store), "--jobs", "1", *NO_FIGURES]
    before = board(store, capsys)
    job = next(row["run_id"] for row in before if row["kind"] == "run") + "-s0"
    damaged = store / "artifacts/jobs" / job / file
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert main(run) == 0
    assert f"1 jobs run, {small_run.JOBS - 1} already finished" in capsys.readouterr().err
    assert board(store, capsys) == before


def test_force_in_one_process_is_bitwise_equal(finished, empty_store, small_set, recipe_file, tmp_path, capsys):
    store, done = finished
    copy = shutil.copytree(empty_store, tmp_path / "store")
    shutil.copytree(store / "features", copy / "features")
    arguments = ["run", str(recipe_file), "--data", str(small_set), "--store", str(copy), "--jobs", "1", *NO_FIGURES]
    assert main(arguments) == 0
    assert capsys.readouterr().out == done.stdout
    assert main([*arguments, "--force"]) == 0
    forced = capsys.readouterr()
    assert forced.out == done.stdout
    assert f"{small_run.JOBS} jobs run" in forced.err


def test_changed_smoothing_trains_nothing(finished, small_set, recipe_file, tmp_path, capsys):
    store = shutil.copytree(finished[0], tmp_path / "store", copy_function=shutil.copy2)
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", str(store), "--jobs", "1", *NO_FIGURES]
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store/artifacts/predictions").iterdir()}
    assert main([*run, "--set", "largest=3", "--set", "kernels=mean"]) == 0
    assert "5 jobs run, 4 already finished" in capsys.readouterr().err
    assert kept == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "store/artifacts/predictions").iterdir()}


def test_seeds_are_grouped_and_a_missing_one_is_shown(finished, empty_store, small_set, recipe_file, tmp_path, capsys):
    store = str(shutil.copytree(empty_store, tmp_path / "store"))
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", store, "--jobs", "1", *NO_FIGURES]
    run += ["--set", "seeds=0,1", "--set", "features=embeddings", "--set", "baselines=false"]
    assert main(run) == 0
    rows = board(store, capsys)
    assert len(rows) == 2
    single = {row["run_id"]: row for row in board(finished[0], capsys)}
    for row in rows:
        assert row["seeds"] == [0, 1] and row["std"] >= 0
        assert single[row["run_id"]]["seeds"] == [0]


def test_tracked_in_mlflow_as_a_parent_and_children(finished):
    from mlflow.tracking import MlflowClient

    store, _ = finished
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "framelight"]
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1 and len(children) == small_run.JOBS
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    run = next(
        run
        for run in children
        if run.data.params["head"] == "logistic_regression" and run.data.params["features"] == "embeddings"
    )
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "curve/mean/P_EXPR")]
    assert sorted(steps) == list(range(7))
    assert run.inputs.dataset_inputs[0].dataset.digest == run.data.params["data_digest"]
    assert {"environment.packages", "environment.git_commit", "environment.processor"} <= set(run.data.tags)
    assert "torch" in json.loads(run.data.tags["environment.packages"])
    assert run.data.metrics["seconds/total"] > 0
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"record.json", "reported.npz", "selection.npz", "statistics.npz", "head.safetensors"} <= kept


def test_stored_statistics_give_the_reported_score(finished, capsys):
    from harness.metrics.pooled_scores import score
    from harness.metrics.unit_statistics import SufficientStatistics

    store, _ = finished
    for row in board(store, capsys):
        with np.load(store / "artifacts/jobs" / f"{row['run_id']}-s0" / "statistics.npz") as kept:
            arrays = {name: kept[name] for name in kept.files if name != "units"}
            assert len(kept["units"]) == row["units"]
        value = score(SufficientStatistics(row["task"], arrays)).metrics[row["metric"]]
        assert value == pytest.approx(row["value"], abs=1e-6)


@pytest.mark.parametrize("form", ["table", "csv", "json", "md"])
def test_leaderboard_files_are_deterministic(finished, form, tmp_path):
    store, _ = finished
    for name in ("a", "b"):
        assert main(["leaderboard", "--store", str(store), "--format", form, "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != b""


def test_published_protocol_is_marked_optimistic(
    finished, empty_store, small_set, recipe_file, tmp_path, capsys, monkeypatch
):
    store = str(shutil.copytree(empty_store, tmp_path / "store"))
    shutil.copytree(finished[0] / "features", tmp_path / "store/features")
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", store, "--jobs", "1", *NO_FIGURES]
    run += ["--set", "protocol=published"]
    assert main(run) == 0
    printed = capsys.readouterr().out
    assert "published" in printed and "enet_b0_7" not in printed
    records = [json.loads(p.read_text()) for p in (tmp_path / "store/artifacts/jobs").glob("*/record.json")]
    learned = [r for r in records if r["config"]["head"]]
    assert {r["protocol"] for r in records} == {"published"} and learned
    for kept in learned:
        best = max(max(curve["reported"]) for curve in kept["curve"].values())
        assert kept["metrics"][kept["metric"]] == pytest.approx(best)
    counts = {record["task"]: record["annotated"] for record in records}  # as if the data were Aff-Wild2's
    published_figures()  # cached, so that the figures keep the counts of Aff-Wild2
    for module in (published, boards):
        monkeypatch.setattr(module, "ANNOTATED_ROWS", {**ANNOTATED_ROWS, **counts})
    assert main(run) == 0
    printed = capsys.readouterr().out
    first = printed.partition("on Aff-Wild2")[0]
    assert "enet_b0_7" in first and "majority class" in first, "figures stand beside the runs"
    assert "Action units" in printed and "Valence" not in printed and "Multi-task" not in printed
