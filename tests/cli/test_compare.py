"""`framelight compare` on a store of tracked runs."""

import json
import shutil
import subprocess

import pytest

from harness.cli import main
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.tracked_stores import better, put, simulated


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A store with two runs of two seeds, a run of another task, and one that failed."""
    from harness.tracking import open_tracker

    store = tmp_path_factory.mktemp("compared") / "store"
    made = simulated("expr", 2, apart=0.3)
    jobs = [put(store, "aaaa1111bbbb", seed, better(made[seed])) for seed in (0, 1)]
    jobs += [put(store, "aaaa2222bbbb", seed, made[seed], backbone="light") for seed in (0, 1)]
    jobs.append(put(store, "cccc3333dddd", 0, simulated("va", 1)[0]))
    tracker = open_tracker(Store(store))
    parent = tracker.start_study("small", "study", {}, {})
    for job in jobs:
        tracker.log_record(job, store / "artifacts" / "jobs" / job.job_id, parent)
    tracker.end_run(parent)
    return store


def test_compare_prints_difference_and_confidence(tracked, capsys):
    assert main(["compare", "aaaa1", "aaaa2", "--store", str(tracked)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Expression on rendered; validation split; 40 videos; seeds 0, 1"
    assert lines[2].startswith("A  aaaa1111bbbb  tiny_resnet, embeddings, logistic_regression, mean radius 7, held-out")
    assert lines[4] == "A / B differ in: backbone tiny_resnet / light"
    [row] = [line.split() for line in lines if line.startswith("P_EXPR")]
    assert float(row[3]) == pytest.approx(float(row[1]) - float(row[2]), abs=0.0011) and row[4].startswith("[+0.")
    assert sum(line.startswith("F1/") for line in lines) == 8
    assert any(line.startswith("videos most in favor of A") for line in lines)
    assert lines[-1].startswith("A is better than B by 0.") and max(map(len, lines)) <= 100


def test_json_says_the_same(tracked, capsys):
    assert main(["compare", "best:expr", "aaaa2222bbbb", "--store", str(tracked), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["first"]["run_id"] == "aaaa1111bbbb" and found["seeds"] == [[0, 0], [1, 1]]
    assert found["difference"]["name"] == found["metric"] == "P_EXPR" and found["difference"]["p"] < 0.05
    assert found["difference"]["low"] < found["difference"]["difference"] < found["difference"]["high"]
    assert len(found["parts"]) == 9 and len(found["for_first"]) == 5 and found["notes"] == []
    assert found["verdict"].startswith("A is better")


def test_moved_store_compares_as_before(tracked, tmp_path, capsys):
    shutil.copytree(tracked, tmp_path / "moved")
    outputs = []
    for store in (tracked, tmp_path / "moved"):
        assert main(["compare", "aaaa1", "aaaa2", "--store", str(store)]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    "runs, told",
    [
        (("aaaa1", "cccc"), "not scored on the same labels"),
        (("aaaa", "cccc"), "'aaaa' matches 2 runs"),
        (("aaaa1", "zzzz"), "unknown run 'zzzz'"),
        (("aaaa1", "aaaa1"), "compared with itself"),
        (("best:au", "aaaa1"), "no run of task au"),
    ],
)
def test_incomparable_runs_exit_with_2(tracked, capsys, runs, told):
    assert main(["compare", *runs, "--store", str(tracked)]) == 2
    said = capsys.readouterr()
    assert told in said.err and not said.out and "Traceback" not in said.err


def test_empty_store_is_exit_code_2(tmp_path, capsys):
    assert main(["compare", "a", "b", "--store", str(tmp_path)]) == 2
    assert "no runs are tracked" in capsys.readouterr().err


def test_compare_needs_neither_torch_nor_mlflow(tracked):
    code = (
        "import sys; from harness.cli import main\n"
        f"assert main(['compare', 'aaaa1', 'aaaa2', '--store', {str(tracked)!r}]) == 0\n"
        "print([m for m in ('torch', 'mlflow', 'pandas', 'sklearn', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([*small_run.command()[:1], "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
