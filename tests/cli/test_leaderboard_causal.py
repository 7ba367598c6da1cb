"""`framelight leaderboard --causal` on a store with finished runs."""

import csv
import io
import json
import shutil
import subprocess

import numpy as np
import pytest

from harness.cli import main
from harness.data import locations
from harness.jobs.causal import load_filter, replay_folder
from harness.smoothing.kernels import CAUSAL
from harness.tracking.record_json import read
from harness.utils.store import Store

CAUSAL_SETTINGS = ["--set", f"kernels={','.join(CAUSAL)}", "--set", "gaps=held"]


@pytest.fixture
def store(finished, tmp_path):
    """A copy of that store, links between its files too, to be changed; its dataset is remembered."""
    subprocess.run(["cp", "-a", finished[0], tmp_path / "store"], check=True)
    return tmp_path / "store"


def shown(capsys, *arguments):
    """(exit code, stdout, stderr)"""
    code = main(["leaderboard", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def causal(capsys, store, *arguments):
    code, out, err = shown(capsys, "--causal", "--store", store, "--format", "json", *arguments)
    assert code == 0, err
    return {row["run_id"]: row for row in json.loads(out)}, err


def test_replay_equals_run_with_causal_kernels(capsys, store, small_set, recipe_file):
    found, said = causal(capsys, store)
    assert not said
    _, out, _ = shown(capsys, "--store", store, "--format", "json")
    offline = {row["run_id"]: row for row in json.loads(out) if "uses_labels" not in row["flags"]}
    assert found.keys() == offline.keys()
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", str(store), "--jobs", "1"]
    assert main([*run, *CAUSAL_SETTINGS]) == 0
    capsys.readouterr()
    drawn = [
        path
        for path in (store / "artifacts/jobs").glob("*/pictures/*smoothing*.png")
        if set(read(path.parents[1] / "record.json").curve) == set(CAUSAL)
    ]
    assert drawn
    _, out, _ = shown(capsys, "--store", store, "--format", "json")
    runs = {
        (row["task"], row["features"], row["head"]): row
        for row in json.loads(out)
        if row["kind"] == "run" and row["run_id"] not in offline
    }
    assert len(runs) == 3
    for run_id, row in found.items():
        assert row["offline"] == offline[run_id]["value"]
        assert row["price"] == pytest.approx(row["offline"] - row["value"], abs=2e-6)
        assert row["delay_ms"] == pytest.approx(1000 * row["delay"] / 30, abs=1e-5)
        if row["kind"] == "run":
            trained = runs[row["task"], row["features"], row["head"]]
            assert {name: row[name] for name in ("value", "kernel", "radius", "ci_low", "ci_high", "parameters")} == {
                name: trained[name] for name in ("value", "kernel", "radius", "ci_low", "ci_high", "parameters")
            }


def test_records_are_not_modified(capsys, store):
    before = shown(capsys, "--store", store)[1], sorted(path for path in (store / "artifacts/jobs").rglob("*"))
    causal(capsys, store)
    assert (shown(capsys, "--store", store)[1], sorted((store / "artifacts/jobs").rglob("*"))) == before


def test_cached_replay_needs_no_labels(capsys, store):
    first = shown(capsys, "--causal", "--store", store)
    (Store(store).dataset_locations).unlink()
    assert shown(capsys, "--causal", "--store", store) == first
    assert first[0] == 0 and "Median drop of" in first[1] and "assumed" in first[1]
    assert all(len(line) <= 100 for line in first[1].splitlines())


def test_selected_filter_of_a_job(capsys, store):
    job = next(
        path.parent.name
        for path in (store / "artifacts/jobs").glob("*/record.json")
        if read(path).task == "au" and read(path).kind == "run"
    )
    assert load_filter(Store(store), job) is None
    row = causal(capsys, store)[0][job.removesuffix("-s0")]
    found = load_filter(Store(store), job)
    assert (found.kernel, found.radius, found.gaps, len(found.thresholds)) == (row["kernel"], row["radius"], "held", 12)
    assert found.kernel in (*CAUSAL, "none")
    replay_folder(Store(store), job).record.write_text("{")
    assert load_filter(Store(store), job) is None


def test_changed_predictions_are_replayed_again(capsys, store):
    """As after `run --force` on another machine: what was frozen no longer is what was replayed."""
    before, _ = causal(capsys, store)
    run = next(iter(before))
    path = replay_folder(Store(store), f"{run}-s0").choice
    frozen = path.read_text()
    path.write_text(frozen.replace('"predictions": "', '"predictions": "0'))
    assert load_filter(Store(store), f"{run}-s0") is None
    assert causal(capsys, store)[0] == before and path.read_text() == frozen


def test_missing_or_changed_data_can_be_passed(capsys, store, small_set, tmp_path):
    (Store(store).dataset_locations).unlink()
    code, out, err = shown(capsys, "--causal", "--store", store)
    assert code == 0 and "nothing to replay" in out
    assert "the folder of the dataset of task expr, small [" in err and "add --data DIR" in err
    moved = tmp_path / "moved"
    shutil.copytree(small_set, moved)
    locations.set_location(Store(store), _images(store), moved)
    labels = next((moved / "Third ABAW Annotations/EXPR_Classification_Challenge/Validation_Set").glob("*.txt"))
    labels.write_text(labels.read_text().replace("0", "1"))
    _, out, err = shown(capsys, "--causal", "--store", store, "--task", "expr")
    assert f"is no longer in {moved}, or was changed" in err
    _, out, err = shown(capsys, "--causal", "--store", store, "--task", "expr", "--data", moved)
    assert f"--data {moved}: no run that had to be replayed was made on" in err and "nothing to replay" in out
    _, out, err = shown(capsys, "--causal", "--store", store, "--task", "expr", "--data", small_set)
    assert "Expression on small" in out and not err
    _, out, err = shown(capsys, "--causal", "--store", store)
    assert "Action units on small" in out and not err, "their annotations are those that they were"


def _images(store):
    return json.loads(next((store / "features").glob("*/entry.json")).read_text())["data_digest"]


def test_modified_or_missing_predictions_exclude_the_job(capsys, store):
    runs = [
        path.parent for path in sorted((store / "artifacts/jobs").glob("*/record.json")) if read(path).kind == "run"
    ]
    (runs[0] / "reported.npz").unlink()
    np.savez(runs[0] / "reported.npz", x=np.zeros(3))
    trainings = {path.stat().st_ino: path.parent for path in (store / "artifacts/predictions").glob("*/training.json")}
    shutil.rmtree(trainings[(runs[1] / "training.json").stat().st_ino])
    found, err = causal(capsys, store)
    assert not found.keys() & {run.name.removesuffix("-s0") for run in runs[:2]}
    assert f"{runs[0].name}/reported.npz was modified" in err and "with the predictions of run" in err
    assert err.count("--force") == 2 and "left out: " in err and "1 job left out" in err


def test_formats_agree(capsys, store):
    rows, _ = causal(capsys, store)
    _, out, _ = shown(capsys, "--causal", "--store", store, "--format", "csv")
    listed = list(csv.DictReader(io.StringIO(out)))
    assert [(row["run_id"], float(row["value"]), float(row["price"])) for row in listed] == [
        (run, row["value"], row["price"]) for run, row in rows.items()
    ]
    _, out, _ = shown(capsys, "--causal", "--store", store, "--format", "md")
    assert out.count("### ") == 2 and "95% CI of drop" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--causal", "--optimism"], "--optimism and --causal cannot be combined"),
        (["--causal", "--published"], "--causal compares tracked runs only; leave out --published"),
        (["--data", "here"], "--data needs --causal; add it"),
        (["--causal", "--data", "nowhere"], "no such data folder: nowhere"),
        (["--plot", "x.png"], "--plot needs --cost; add it"),
    ],
)
def test_wrong_options_exit_with_2(capsys, finished, arguments, message):
    code, _, err = shown(capsys, "--store", finished[0], *arguments)
    assert code == 2 and message in err


def test_store_without_runs_has_nothing_to_replay(capsys, tmp_path):
    code, out, _ = shown(capsys, "--causal", "--store", tmp_path / "none")
    assert code == 0 and "nothing to replay" in out
    assert not (tmp_path / "none").exists()


def test_stills_are_not_replayed(capsys, tmp_path):
    from tests.helpers.tracked_stores import better, put, simulated

    (statistics,) = simulated("expr", 1, videos=4)
    put(tmp_path, "stills", 0, better(statistics), units=tuple("abcd"), unit="subject")
    from harness.leaderboard.causal_replays import get_causal_replays

    records = [read(path) for path in (tmp_path / "artifacts/jobs").glob("*/record.json")]
    assert get_causal_replays(records, Store(tmp_path), None, print) == {} and not capsys.readouterr().out
