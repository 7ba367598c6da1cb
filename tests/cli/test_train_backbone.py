"""`framelight train-backbone`, up to the entry that recipes use."""

import json
import re
import signal
import subprocess
import time

import pytest
from PIL import Image

import backbones
from harness.cli import main
from tests.helpers import small_run
from tests.helpers.backbone_recipes import (
    STAGES,
    card_of,
    card_of_named,
    entry_of,
    entry_of_name,
    require_whole_run,
    steps,
    tracked,
)


def test_card_and_epochs_are_printed(trained):
    store, done = trained
    card = card_of(store)
    assert re.search(r"^backbone +drawn: tiny_mobilenet from random", done.stdout, re.M)
    assert f"{card['metrics']['expression_macro_f1']:.3f}" in done.stdout and str(entry_of(store)) in done.stdout
    assert "Neutral, Anger" in done.stdout and "backbones=drawn" in done.stdout
    assert re.search(r"^selected on +training subjects$", done.stdout, re.M)
    for stage, epochs in STAGES.items():
        assert f"{stage}: epoch {epochs} of {epochs}, loss" in done.stderr
    assert "trained in" in done.stderr and "warning" not in done.stderr
    assert card["data"]["name"] == "faces" and card["name"] == "drawn"


def test_work_folder_is_removed(trained):
    left = {path.name for path in (trained[0] / "artifacts/backbones").iterdir()} - {entry_of(trained[0]).name}
    assert all(name.endswith(".lock") for name in left)


def test_run_in_mlflow_holds_curves_params_metrics_and_pictures(trained, tmp_path):
    store, _ = trained
    client, run = require_whole_run(store)
    card = card_of(store)
    assert run.info.run_name == "drawn" and run.data.tags["framelight.training"] == entry_of(store).name
    assert run.data.params["training.expressions.schedule.epochs"] == "4"
    assert run.data.params["training.backbone"] == "tiny_mobilenet@random"
    assert run.data.metrics["expression_macro_f1"] == pytest.approx(card["metrics"]["expression_macro_f1"])
    assert run.data.metrics["identity_accuracy"] == pytest.approx(card["metrics"]["identity_accuracy"])
    assert run.inputs.dataset_inputs[0].dataset.name == "faces"
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"card.json", "history.json", "confusion.png"} <= kept
    for name in kept & {"confusion.png", "errors.png"}:
        with Image.open(client.download_artifacts(run.info.run_id, name, str(tmp_path))) as picture:
            assert picture.format == "PNG" and min(picture.size) > 100


def test_finished_training_returns_immediately(trained, drawn, table, capsys):
    store, done = trained
    before = {path: path.stat().st_mtime_ns for path in entry_of(store).iterdir()}
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(store)]) == 0
    again = capsys.readouterr()
    assert again.out == done.stdout
    assert "was trained already" in again.err and "epoch" not in again.err
    assert before == {path: path.stat().st_mtime_ns for path in entry_of(store).iterdir()}
    assert len(tracked(store)[1]) == 1


def test_folder_without_entry_is_ignored(copied, drawn, table, capsys):
    (entry_of(copied) / "card.json").unlink()
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied)]) == 0
    assert "was trained already" not in capsys.readouterr().err and card_of(copied)["name"] == "drawn"


def test_moved_store_finds_its_trainings(copied, drawn, table):
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied)]) == 0
    assert len(tracked(copied)[1]) == 1


def test_broken_entry_does_not_hide_others(copied, capsys):
    (copied / "artifacts/backbones/broken").mkdir()
    (copied / "artifacts/backbones/broken/card.json").write_text("{half")
    assert main(["backbones", "--store", str(copied)]) == 0
    told = capsys.readouterr()
    assert f"\n{entry_of_name(copied, 'drawn').name} " in told.out
    assert "warning: broken: " in told.err and "cannot be read" in told.err


def test_entry_is_listed_and_recipes_use_it(copied, small_set, recipe_file, capsys):
    assert main(["backbones", "--store", str(copied)]) == 0
    assert f"\n{entry_of(copied).name} " in capsys.readouterr().out
    run = ["run", str(recipe_file), "--data", str(small_set), "--store", str(copied), "--jobs", "1"]
    for setting in ("backbones=drawn", "features=scores", "baselines=false", "pictures=false"):
        run += ["--set", setting]
    assert main(run) == 0
    assert "drawn" in capsys.readouterr().out
    assert main(["leaderboard", "--store", str(copied), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["backbone"] for row in rows} == {"drawn"} and len(rows) == 2


def test_fine_tuned_backbone_names_its_parent(copied, drawn, table, capsys):
    assert (
        main(
            [
                "train-backbone",
                str(drawn),
                "--data",
                str(table),
                "--store",
                str(copied),
                "--set",
                "name=further",
                "--set",
                "backbone=drawn",
                "--set",
                "identities=none",
                "--set",
                "expressions.schedule.epochs=1",
                "--set",
                "expressions.held_out=0",
            ]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert "further: tiny_mobilenet from checkpoint drawn" in told and "so the scores are optimistic" in told
    card = backbones.read_card(next((copied / "artifacts/backbones").glob("further-*")))
    assert card["parent_hash"] == card_of_named(copied, "drawn")["weights_hash"]


def killed_at(store, recipe, table, stage, how=signal.SIGKILL):
    """End the command after the first saved epoch of `stage` and return its messages."""
    process = subprocess.Popen(
        small_run.command("train-backbone", recipe, "--data", table, "--store", store),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(store.glob(f"artifacts/backbones/.drawn-*.work/{stage}.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(how)
    return process.communicate()[1], process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("stages", [("expressions-all",), ("identities-all", "expressions-head", "expressions-all")])
def test_resumed_training_has_the_same_weights_and_one_run(trained, drawn, table, tmp_path, stages):
    store = tmp_path / "store"
    for stage in stages:
        killed_at(store, drawn, table, stage)
        assert not list(store.glob("artifacts/backbones/drawn-*/card.json"))
    done = small_run.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    assert "expressions-all: epoch 1 of 4" not in done.stderr and "expressions-all: epoch 4 of 4" in done.stderr
    assert card_of(store)["weights_hash"] == card_of(trained[0])["weights_hash"]
    require_whole_run(store)


@pytest.mark.slow
def test_interrupted_training_is_tracked_and_resumed(trained, drawn, table, tmp_path):
    store = tmp_path / "store"
    said, code = killed_at(store, drawn, table, "expressions-all", signal.SIGINT)
    assert code == 130 and "interrupted; finished work is saved" in said and "Traceback" not in said
    _, [run] = tracked(store)
    assert run.info.status == "FAILED" and run.data.tags["mlflow.note.content"] == "interrupted"
    done = small_run.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    assert card_of(store)["weights_hash"] == card_of(trained[0])["weights_hash"]
    assert require_whole_run(store)[1].info.run_id == run.info.run_id


def test_force_trains_again_to_the_same_weights(copied, drawn, table, capsys):
    [before] = tracked(copied)[1]
    weights, written = card_of(copied)["weights_hash"], (entry_of(copied) / "card.json").stat().st_mtime_ns
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied), "--force"]) == 0
    assert "expressions-all: epoch 4 of 4" in capsys.readouterr().err
    assert card_of(copied)["weights_hash"] == weights
    assert (entry_of(copied) / "card.json").stat().st_mtime_ns > written
    assert require_whole_run(copied)[1].info.run_id != before.info.run_id


@pytest.mark.slow
def test_lost_server_warns_and_next_command_sends(server, drawn, table, trained, tmp_path):
    store = tmp_path / "store"
    arguments = ("train-backbone", drawn, "--data", table, "--store", store, "--tracking-uri", server.uri)
    process = subprocess.Popen(small_run.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(store.glob("artifacts/backbones/.drawn-*.work/expressions-all.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    server.stop()
    told, warned = process.communicate(timeout=300)
    assert process.returncode == 0 and "warning: " in warned and "Traceback" not in warned
    assert (
        told.splitlines()[0].startswith("backbone")
        and card_of(store)["weights_hash"] == card_of(trained[0])["weights_hash"]
    )
    server.start()
    again = small_run.framelight(*arguments)
    assert again.returncode == 0 and "warning" not in again.stderr and "was trained already" in again.stderr
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server.uri)
    [run] = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "FINISHED"
    assert steps(client, run, "expressions-all/loss") == [1, 2, 3, 4]
    assert "confusion.png" in {file.path for file in client.list_artifacts(run.info.run_id)}
