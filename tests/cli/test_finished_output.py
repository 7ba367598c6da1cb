"""A command that was killed after its output was in place goes on when it is run again; other content is kept."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from harness.cli import main
from harness.data.registry import open_dataset
from harness.utils.store import Store
from tests.helpers import small_run

KILLED_AT = """
import os, signal, sys
from importlib import import_module
from harness.cli import main
module, name = sys.argv[1].rsplit(".", 1)
setattr(import_module(module), name, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
main(sys.argv[2:])
"""


def kill_at(function, arguments):
    """Run the command in a process that is killed as it calls a function."""
    done = subprocess.run([sys.executable, "-c", KILLED_AT, function, *arguments], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def words(*arguments):
    return [str(argument) for argument in arguments]


def state(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def crops(small_set):
    """The crops of a validation video."""
    name = open_dataset(small_set).sequence_names("expr", "validation")[0]
    return small_set / "cropped_aligned" / name


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_unregistered_export_is_registered_by_the_same_command(readers, short_cost, tmp_path, capsys, killed):
    """Killed before it was registered, or exported with `--no-model`."""
    from harness.export.registry.mlflow_registry import Registry
    from harness.tracking import locate

    readers, out = shutil.copytree(readers, tmp_path / "store"), tmp_path / "out"
    command = words("export", "best:expr", "--store", readers, "--out", out, "--precision", "float32")
    if killed:
        kill_at("harness.export.registry.log_model.log_exported", command)
    else:
        assert main([*command, "--no-model"]) == 0
        capsys.readouterr()
    registry = Registry(locate(Store(readers)), reading_only=True)
    assert (out / "card.json").is_file() and not registry.names()
    before = state(out)
    assert main(command) == 0
    first = capsys.readouterr()
    assert "contains this export already" in first.err and "logged to MLflow as" in first.err
    assert state(out) == before and len(registry.names()) == 1
    assert main(command) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "float32\n" in again.out and "already in MLflow" in again.err

    assert main([*command, "--embedding"]) == 2, "another export is not this one"
    assert main([*command[:1], "best:au", *command[2:]]) == 2
    (out / "example.py").write_text("print('mine')\n")
    assert main(command) == 2
    assert capsys.readouterr().err.count("is not empty") == 3
    assert (out / "example.py").read_text() == "print('mine')\n"


@pytest.mark.parametrize("runs", [("best:expr", "best:au"), pytest.param(("best:expr",), marks=pytest.mark.slow)])
def test_killed_prediction_is_completed_by_the_same_command(readers, crops, tmp_path, capsys, runs):
    from harness.inference.api import predict

    out = tmp_path / "out"
    named = [word for run in runs for word in ("--run", run)]
    command = words("predict", crops, *named, "--store", readers, "--out", out)
    kill_at("harness.inference.predict.remove_partial_folder", command)
    assert (out / "predict.json").is_file() and (tmp_path / ".out.partial").is_dir()
    before = state(out)
    assert main(command) == 0
    said = capsys.readouterr()
    assert "contains this prediction already" in said.err and str(out / "predictions.csv") in said.out
    assert state(out) == before and not (tmp_path / ".out.partial").exists()

    finished = predict(crops, runs, out, store=readers)
    whole = predict(crops, runs, tmp_path / "whole", store=readers)
    assert finished.table.equals(whole.table), "the result is read back from the files"
    assert finished.result.source == whole.result.source and finished.result.size == whole.result.size
    for one, other in zip(finished.result.outputs, whole.result.outputs, strict=True):
        np.testing.assert_allclose(one.smoothed, other.smoothed, atol=1e-6)
        np.testing.assert_allclose(one.raw, other.raw, atol=1e-6)

    assert main([*command, "--missing", "empty"]) == 2
    (out / "mine.txt").write_text("mine")
    assert main(command) == 2
    assert capsys.readouterr().err.count("is not empty") == 2 and (out / "mine.txt").is_file()


def test_killed_prediction_without_faces_is_completed(readers, tmp_path):
    """Frames without a face have rows, but no face."""
    from harness.inference.api import predict
    from tests.helpers.video_files import film

    source = film(tmp_path / "noise.mp4", 30)
    whole = predict(source, "best:expr", tmp_path / "out", store=readers, crops=False)
    again = predict(source, "best:expr", tmp_path / "out", store=readers, crops=False)
    assert again.table.equals(whole.table) and len(again.result.frames) == 30
    np.testing.assert_allclose(again.result.seconds, whole.result.seconds, atol=1e-6)


def test_killed_submission_is_completed_by_the_same_command(readers, small_set, tmp_path, capsys):
    out = tmp_path / "out"
    command = words("submit", "best:expr", "--data", small_set, "--store", readers, "--out", out)
    kill_at("harness.cli.submit._summary_lines", command)
    before = state(out)
    assert main(command) == 0
    assert "round trip: the written files equal" in capsys.readouterr().out and state(out) == before
    assert main([*command, "--split", "validation"]) == 2 and state(out) == before

    scored = words("submit", "best:expr", "--data", small_set, "--store", readers, "--split", "validation")
    printed = []
    for _ in range(2):
        assert main([*scored, "--out", str(tmp_path / "scored")]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "P_EXPR" in printed[0]
    note = json.loads((tmp_path / "scored" / "submission.json").read_text())
    (tmp_path / "scored" / "submission.json").write_text(json.dumps(note | {"request": "other"}))
    assert main([*scored, "--out", str(tmp_path / "scored")]) == 2


def test_killed_data_set_is_completed_by_the_same_command(tmp_path, capsys):
    root = tmp_path / "set"
    command = words("data", "make", root, "--videos", 4, "--frames", 10, "--stills", 0, "--jobs", 1)
    assert main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert main(command) == 0
    assert "contains this dataset already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert main([*command, "--seed", "1"]) == 2
    next(root.rglob("*.jpg")).unlink()
    assert main(command) == 2
    assert capsys.readouterr().err.count("is not empty") == 2


@pytest.mark.slow
def test_killed_training_gets_its_report_by_the_same_command(drawn, table, trained, tmp_path):
    """Killed between the entry and its report: curves and figures are there in the end, the work folder is not."""
    from tests.helpers.backbone_recipes import entry_of, require_whole_run

    store = tmp_path / "store"
    command = words("train-backbone", drawn, "--data", table, "--store", store)
    kill_at("harness.runner.backbone_training.write_report", command)
    entry = entry_of(store)
    assert not (Store(store).trainings / entry.name).exists()
    assert small_run.framelight(*command).returncode == 0
    report = Store(store).trainings / entry.name
    whole = Store(trained[0]).trainings / entry.name
    assert {path.name for path in report.iterdir()} == {path.name for path in whole.iterdir()}
    assert (entry / "model.safetensors").read_bytes() == (entry_of(trained[0]) / "model.safetensors").read_bytes()
    assert not list(entry.parent.glob(".*.work"))
    require_whole_run(store)
