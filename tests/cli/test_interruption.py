"""Interrupted and concurrent commands lose nothing and give the same leaderboard."""

import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.helpers import small_run


def board(store):
    done = small_run.framelight("leaderboard", "--store", store, "--format", "json")
    assert done.returncode == 0, done.stderr
    return done.stdout


def killed(arguments, after):
    """Whether the command was still at work when SIGKILL came."""
    process = subprocess.Popen(small_run.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def killed_when(arguments, reached):
    """SIGKILL as soon as `reached()`; fails when the command ended before."""
    process = subprocess.Popen(small_run.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not reached():
        assert process.poll() is None, "the command ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_board_is_identical_after_kill_at_any_stage(finished, small_set, recipe_file, tmp_path):
    """One store: killed when the database is there, in extraction, at the first head and in the middle of the jobs."""
    store = tmp_path / "store"

    def count(pattern):
        return len(list(store.glob(pattern)))

    arguments = ("run", recipe_file, "--data", small_set, "--store", store, "--jobs", 1)
    for reached in (
        lambda: count("mlflow.db"),
        lambda: count("features/*/*"),
        lambda: count("features/*/entry.json"),
        lambda: count("artifacts/predictions/*"),
        lambda: count("artifacts/jobs/*/record.json") >= 3,
    ):
        killed_when(arguments, reached)
    assert small_run.framelight(*arguments).returncode == 0
    assert board(store) == board(finished[0])


@pytest.mark.slow
def test_sigkill_at_ten_moments_of_a_fresh_run(finished, small_set, recipe_file, tmp_path):
    """Ten stores, each killed once at another moment of the run and run again."""
    wanted, chance = board(finished[0]), random.Random(0)
    whole = time.monotonic()
    arguments = ("run", recipe_file, "--data", small_set, "--jobs", 2, "--store")
    assert small_run.framelight(*arguments, tmp_path / "whole").returncode == 0
    whole = time.monotonic() - whole
    for i in range(10):
        store, after = tmp_path / f"store{i}", whole * (i + chance.random()) / 10
        while not killed((*arguments, store), after):  # a quicker run than the measured one: sooner, afresh
            shutil.rmtree(store)
            after *= 0.8
        assert small_run.framelight(*arguments, store).returncode == 0
        assert board(store) == wanted


def test_workers_end_with_the_run(finished, small_set, recipe_file, tmp_path):
    """A killed parent leaves no child process behind."""
    store = shutil.copytree(finished[0], tmp_path / "store")
    process = subprocess.Popen(
        small_run.command(
            "run", recipe_file, "--data", small_set, "--store", store, "--jobs", 2, "--set", "grids.heads.epochs=4000"
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    session = process.pid
    for _ in range(2400):
        if len(processes(session)) >= 4:
            break
        time.sleep(0.25)
    else:
        pytest.fail("the workers did not start")
    process.kill()
    process.wait()
    for _ in range(1200):
        if not processes(session):
            return
        time.sleep(0.25)
    pytest.fail(f"still running: {processes(session)}")


def processes(session):
    listed = subprocess.run(["ps", "-eo", "pid,sess,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return [pid for pid, owner, state in rows if owner == str(session) and not state.startswith("Z")]


@pytest.mark.slow
def test_concurrent_recipes_on_new_store_lose_nothing(small_set, tmp_path):
    store, commands = tmp_path / "store", []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        text = small_run.RECIPE.replace('name="small"', f'name="{name}"')
        if name == "second":
            text = text.replace('("embeddings", "scores")', '("embeddings+scores", "scores")')
        recipe = small_run.write_recipe(tmp_path / name, text)
        commands.append(small_run.command("run", recipe, "--data", small_set, "--store", store, "--jobs", 1))
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    alone = tmp_path / "alone"
    for command in commands:
        assert subprocess.run([*command[:-3], alone, *command[-2:]], capture_output=True).returncode == 0
    assert board(store) == board(alone)
    assert len(re.findall('"run_id"', board(store))) == small_run.JOBS + 1
