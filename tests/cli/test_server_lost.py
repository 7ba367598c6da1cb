"""An MLflow server is lost during a run: results stay in the store and the next run sends them."""

import os
import signal
import subprocess
import time

import pytest

from tests.helpers import small_run

pytestmark = pytest.mark.slow


def arguments(recipe, data, store, server, *more):
    return ("run", recipe, "--data", data, "--store", store, "--jobs", 1, "--tracking-uri", server.uri, *more)


def test_results_are_stored_and_sent_by_the_next_run(finished, server, small_set, recipe_file, tmp_path):
    store = tmp_path / "store"
    slow_jobs = ("--set", "grids.heads.epochs=60")
    process = subprocess.Popen(
        small_run.command(*arguments(recipe_file, small_set, store, server, *slow_jobs)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((store / "artifacts/jobs").glob("*/record.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    server.stop()
    board, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "the next run sends" in said and "Traceback" not in said
    assert "P_EXPR" in board and "P_AU" in board
    server.start()
    again = small_run.framelight(*arguments(recipe_file, small_set, store, server, *slow_jobs))
    assert again.returncode == 0, again.stderr
    assert f"0 jobs run, {small_run.JOBS} already finished" in again.stderr
    assert again.stdout == board


def test_leaderboard_reads_what_others_logged_to_the_server(server, small_set, recipe_file, tmp_path):
    for name in ("mine", "theirs"):
        features = "embeddings" if name == "mine" else "scores"
        done = small_run.framelight(
            *arguments(recipe_file, small_set, tmp_path / name, server, "--set", f"features={features}")
        )
        assert done.returncode == 0, done.stderr
    board = small_run.framelight(
        "leaderboard", "--store", tmp_path / "empty", "--tracking-uri", server.uri, "--format", "csv"
    )
    assert board.returncode == 0, board.stderr
    assert ",embeddings," in board.stdout and ",scores," in board.stdout


def test_interrupted_run_leaves_no_running_parent(small_set, recipe_file, tmp_path):
    from mlflow.tracking import MlflowClient

    store = tmp_path / "store"
    process = subprocess.Popen(
        small_run.command(
            "run", recipe_file, "--data", small_set, "--store", store, "--jobs", 1, "--set", "grids.heads.epochs=4000"
        ),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while not (store / "artifacts/jobs").is_dir():
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(600) == 130
    assert "interrupted" in process.stderr.read()
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert runs and "RUNNING" not in {run.info.status for run in runs}
