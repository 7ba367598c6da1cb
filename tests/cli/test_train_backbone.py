"""`framelight train-backbone`, from the command to the entry that recipes use."""

import json
import re
import shutil
import signal
import subprocess
import time

import pytest
import torch
from PIL import Image

import backbones
from harness.cli import main
from tests import small
from tests.pretraining.drawing import draw

RECIPE = '''
from harness.pretraining.config import Augmentation, Expressions, Identities, Schedule, StillsConfig
from harness.recipes import BackboneRecipe

recipe = BackboneRecipe(
    name="drawn",
    training=StillsConfig(
        backbone="tiny_mobilenet@random",
        identities=Identities(Schedule(epochs=1)),
        expressions=Expressions(Schedule(epochs=4, head_epochs=1), held_out=0.25),
        augmentation=Augmentation(strength=0.1),
        batch_size=8,
        threads=1,
    ),
)
'''
STAGES = {"identities-all": 1, "expressions-head": 1, "expressions-all": 4}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """An image table of 96 drawn stills."""
    return draw(tmp_path_factory.mktemp("stills") / "faces").root


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The recipe's file."""
    path = tmp_path_factory.mktemp("recipe") / "drawn.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def trained(table, drawn, tmp_path_factory):
    """A store in which the recipe was trained without interruption, and what the command said."""
    store = tmp_path_factory.mktemp("trained") / "store"
    done = small.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    return store, done


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of that store, to be changed."""
    shutil.copytree(trained[0], tmp_path / "store")
    return tmp_path / "store"


def entry_of(store):
    [folder] = [path for path in (store / "artifacts/backbones").iterdir() if not path.name.startswith(".")]
    return folder


def card_of(store):
    return json.loads((entry_of(store) / "card.json").read_text())


def tracked(store):
    """MLflow's client and the runs of backbones in the store."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return client, [run for run in found if run.data.tags["framelight.kind"] == "backbone"]


def steps(client, run, name):
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, name))


def require_whole_run(store):
    client, [run] = tracked(store)
    assert run.info.status == "FINISHED"
    for stage, epochs in STAGES.items():
        for value in ("loss", "accuracy" if stage == "identities-all" else "macro_f1", "learning_rate"):
            assert steps(client, run, f"{stage}/{value}") == list(range(1, epochs + 1)), (stage, value)
    return client, run


def test_the_card_is_told_and_every_epoch(trained):
    store, done = trained
    card = card_of(store)
    assert re.search(r"^backbone +drawn: tiny_mobilenet from random", done.stdout, re.M)
    assert f"{card['metrics']['expression_macro_f1']:.3f}" in done.stdout and str(entry_of(store)) in done.stdout
    assert "Neutral, Anger" in done.stdout and "backbones=drawn" in done.stdout
    assert re.search(r"^chosen on +training subjects$", done.stdout, re.M)
    for stage, epochs in STAGES.items():
        assert f"{stage}: epoch {epochs} of {epochs}, loss" in done.stderr
    assert "trained in" in done.stderr and "warning" not in done.stderr
    assert card["data"]["name"] == "faces" and card["name"] == "drawn"


def test_nothing_of_the_work_stays(trained):
    left = {path.name for path in (trained[0] / "artifacts/backbones").iterdir()} - {entry_of(trained[0]).name}
    assert all(name.endswith(".lock") for name in left)


def test_the_run_in_mlflow_holds_curves_params_metrics_and_pictures(trained, tmp_path):
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


def test_done_is_said_at_once(trained, drawn, table, capsys):
    store, done = trained
    before = {path: path.stat().st_mtime_ns for path in entry_of(store).iterdir()}
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(store)]) == 0
    again = capsys.readouterr()
    assert again.out == done.stdout
    assert "was trained before" in again.err and "epoch" not in again.err
    assert before == {path: path.stat().st_mtime_ns for path in entry_of(store).iterdir()}
    assert len(tracked(store)[1]) == 1


def test_a_folder_that_is_no_entry_is_not_taken_for_one(copied, drawn, table, capsys):
    (entry_of(copied) / "card.json").unlink()
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied)]) == 0
    assert "was trained before" not in capsys.readouterr().err and card_of(copied)["name"] == "drawn"


def test_a_store_that_was_moved_knows_its_trainings(copied, drawn, table):
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied)]) == 0
    assert len(tracked(copied)[1]) == 1


def test_a_broken_entry_hides_no_other(copied, capsys):
    (copied / "artifacts/backbones/broken").mkdir()
    (copied / "artifacts/backbones/broken/card.json").write_text("{half")
    assert main(["backbones", "--store", str(copied)]) == 0
    told = capsys.readouterr()
    assert f"\n{entry_of_name(copied, 'drawn').name} " in told.out
    assert "warning: broken: " in told.err and "cannot be read" in told.err


def test_the_entry_is_listed_and_recipes_use_it(copied, small_set, recipe_file, capsys):
    assert main(["backbones", "--store", str(copied)]) == 0
    assert f"\n{entry_of(copied).name} " in capsys.readouterr().out
    assert main(["run", str(recipe_file), "--data", str(small_set), "--store", str(copied), "--jobs", "1",
                 "--set", "backbones=drawn", "--set", "features=scores", "--set", "baselines=false"]) == 0
    assert "drawn" in capsys.readouterr().out
    assert main(["leaderboard", "--store", str(copied), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["backbone"] for row in rows} == {"drawn"} and len(rows) == 2


def test_what_is_trained_further_names_its_parent(copied, drawn, table, capsys):
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied), "--set", "name=further",
                 "--set", "backbone=drawn", "--set", "identities=none", "--set", "expressions.schedule.epochs=1",
                 "--set", "expressions.held_out=0"]) == 0
    told = capsys.readouterr().out
    assert "further: tiny_mobilenet from checkpoint drawn" in told and "as published, and optimistic" in told
    card = backbones.read_card(next((copied / "artifacts/backbones").glob("further-*")))
    assert card["parent_hash"] == card_of_named(copied, "drawn")["weights_hash"]


def entry_of_name(store, name):
    return next((store / "artifacts/backbones").glob(f"{name}-*"))


def card_of_named(store, name):
    return backbones.read_card(entry_of_name(store, name))


def killed_at(store, recipe, table, stage, how=signal.SIGKILL):
    """End the command once the first epoch of `stage` is kept; what it said."""
    process = subprocess.Popen(small.command("train-backbone", recipe, "--data", table, "--store", store),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list(store.glob(f"artifacts/backbones/.drawn-*.work/{stage}.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(how)
    return process.communicate()[1], process.returncode


@pytest.mark.parametrize("stages", [("expressions-all",), pytest.param(
    ("identities-all", "expressions-head", "expressions-all"), marks=pytest.mark.slow)])
def test_killed_and_run_again_gives_the_same_weights_and_one_run(trained, drawn, table, tmp_path, stages):
    store = tmp_path / "store"
    for stage in stages:
        killed_at(store, drawn, table, stage)
        assert not list(store.glob("artifacts/backbones/drawn-*/card.json"))
    done = small.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    assert "expressions-all: epoch 1 of 4" not in done.stderr and "expressions-all: epoch 4 of 4" in done.stderr
    assert card_of(store)["weights_hash"] == card_of(trained[0])["weights_hash"]
    require_whole_run(store)


@pytest.mark.slow
def test_ctrl_c_is_said_tracked_and_taken_up_again(trained, drawn, table, tmp_path):
    store = tmp_path / "store"
    said, code = killed_at(store, drawn, table, "expressions-all", signal.SIGINT)
    assert code == 130 and "interrupted; what was finished is kept" in said and "Traceback" not in said
    _, [run] = tracked(store)
    assert run.info.status == "FAILED" and run.data.tags["mlflow.note.content"] == "interrupted"
    done = small.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    assert card_of(store)["weights_hash"] == card_of(trained[0])["weights_hash"]
    assert require_whole_run(store)[1].info.run_id == run.info.run_id


def test_forced_it_is_trained_again_to_the_same_weights(copied, drawn, table, capsys):
    [before] = tracked(copied)[1]
    weights, written = card_of(copied)["weights_hash"], (entry_of(copied) / "card.json").stat().st_mtime_ns
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied), "--force"]) == 0
    assert "expressions-all: epoch 4 of 4" in capsys.readouterr().err
    assert card_of(copied)["weights_hash"] == weights
    assert (entry_of(copied) / "card.json").stat().st_mtime_ns > written
    assert require_whole_run(copied)[1].info.run_id != before.info.run_id


def said(capsys, *arguments, code=2):
    assert main([str(argument) for argument in arguments]) == code
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("framelight: ")
    return message


def test_each_wrong_input_has_its_own_message(capsys, drawn, table, tmp_path):
    store = ("--store", tmp_path / "store")
    assert "use: framelight train-backbone light_both" in said(capsys, "run", "light_both", *store)
    assert "use: framelight run quickstart" in said(capsys, "train-backbone", "quickstart", *store)
    assert "did you mean light_both" in said(capsys, "train-backbone", "light_bth", *store)
    assert "add --data DIR" in said(capsys, "train-backbone", drawn, *store)
    assert "no such data folder" in said(capsys, "train-backbone", drawn, "--data", tmp_path / "none", *store)
    (tmp_path / "empty").mkdir()
    assert "VGGFace2" in said(capsys, "train-backbone", drawn, "--data", tmp_path / "empty", *store)
    assert "did you mean" in said(capsys, "train-backbone", drawn, "--data", table, *store, "--set", "epoch=2")
    assert "training.seed" in said(capsys, "train-backbone", "light_both", *store, "--set", "seed=2")
    assert "did you mean tiny_resnet" in said(capsys, "train-backbone", drawn, "--data", table, *store,
                                              "--set", "backbone=tiny_resnt")
    (tmp_path / "file").write_text("")
    assert "is a file" in said(capsys, "train-backbone", drawn, "--data", table, "--store", tmp_path / "file")


def test_a_parent_that_was_not_trained_yet_is_said_with_the_way_to_it(capsys, table, tmp_path):
    message = said(capsys, "train-backbone", "affectnet_expressions", "--data", table, "--store", tmp_path / "store")
    assert "framelight train-backbone vggface2_identities" in message and "--set backbone=efficientnet_b0" in message


def test_a_parent_of_which_there_are_several_is_to_be_chosen(capsys, copied, table):
    for letter in "ab":
        folder = entry_of(copied) if letter == "a" else copied / "artifacts/backbones/light_both-a"
        shutil.copytree(folder, copied / f"artifacts/backbones/light_both-{letter}")
        card = copied / f"artifacts/backbones/light_both-{letter}/card.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), "name": "light_both"}))
    message = said(capsys, "train-backbone", "light_expressions", "--data", table, "--store", copied, "--set",
                   "backbone=light_both")
    assert "2 of that name" in message and "--set backbone=light_both-a (or light_both-b)" in message


def test_a_parent_that_cannot_be_trained_is_said_before_any_work(capsys, drawn, table, tmp_path):
    from backbones.importing.onnx_files import import_onnx
    from tests.backbones.onnx_models import pooled

    model = pooled(tmp_path / "m.onnx", {"scores": 8, "embedding": 32})
    import_onnx(model, "fixed", tmp_path / "store/artifacts/backbones", None, lambda line: None)
    message = said(capsys, "train-backbone", drawn, "--data", table, "--store", tmp_path / "store", "--set",
                   "backbone=fixed")
    assert "'fixed' runs through ONNX Runtime and cannot be trained" in message
    assert not (tmp_path / "store/features/digests.json").exists()


def test_a_parent_used_otherwise_is_another_parent(copied, drawn, table, capsys):
    """The same weights with other pixels teach otherwise."""
    further = ("train-backbone", drawn, "--data", table, "--store", copied, "--set", "name=further", "--set",
               "backbone=drawn", "--set", "identities=none", "--set", "expressions.schedule.epochs=1")
    assert main([str(argument) for argument in further]) == 0
    path = entry_of_name(copied, "drawn") / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "preprocessing": {**card["preprocessing"], "mean": [0.25, 0.5, 0.75]},
                                "licence": "mine alone"}))
    assert main([str(argument) for argument in further]) == 0
    assert "trained before" not in capsys.readouterr().err
    cards = [backbones.read_card(path) for path in (copied / "artifacts/backbones").glob("further-*")]
    assert len(cards) == 2 and len({card["weights_hash"] for card in cards}) == 2
    assert "mine alone; faces's terms" in {card["licence"] for card in cards}


def test_a_malformed_label_is_named_with_its_line_and_the_run_says_why(capsys, drawn, table, tmp_path):
    shutil.copytree(table, tmp_path / "faces")
    labels = tmp_path / "faces/labels.csv"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([*lines[:4], lines[4].replace("disgust", "disgusted").replace("fear", "feared")
                                 .replace("neutral", "neutered").replace("anger", "angered"), *lines[5:]]) + "\n")
    assert f"{labels}:5" in said(capsys, "train-backbone", drawn, "--data", tmp_path / "faces", "--store",
                                 tmp_path / "store")


def test_stills_that_cannot_teach_fail_the_run_and_not_silently(capsys, drawn, tmp_path):
    root = draw(tmp_path / "strangers", each=2).root
    message = said(capsys, "train-backbone", drawn, "--data", root, "--store", tmp_path / "store")
    assert "identities" in message
    [run] = tracked(tmp_path / "store")[1]
    assert run.info.status == "FAILED" and "InputError" in run.data.tags["mlflow.note.content"]


def test_a_name_that_an_imported_backbone_has_is_refused_before_any_work(drawn, table, tmp_path, capsys):
    entries = tmp_path / "store/artifacts/backbones"
    torch.save(backbones.build("tiny_resnet").network.state_dict(), tmp_path / "weights.pt")
    backbones.import_file(tmp_path / "weights.pt", "drawn", entries)
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(tmp_path / "store")]) == 2
    assert "has an imported backbone called 'drawn'" in capsys.readouterr().err
    assert [path.name for path in entries.iterdir() if not path.name.startswith(".")] == ["drawn"]


def test_several_entries_of_one_name_are_told_apart(copied, drawn, table, capsys):
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied),
                 "--set", "training.seed=1"]) == 0
    out = capsys.readouterr().out
    both = sorted(path.name for path in (copied / "artifacts/backbones").glob("drawn-*"))
    assert len(both) == 2 and re.search(rf"backbones=({both[0]}|{both[1]})\n", out)


@pytest.mark.slow
def test_a_server_that_dies_is_a_warning_and_the_next_command_sends_the_rest(server, drawn, table, trained, tmp_path):
    store = tmp_path / "store"
    arguments = ("train-backbone", drawn, "--data", table, "--store", store, "--tracking-uri", server.uri)
    process = subprocess.Popen(small.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(store.glob("artifacts/backbones/.drawn-*.work/expressions-all.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    server.stop()
    told, warned = process.communicate(timeout=300)
    assert process.returncode == 0 and "warning: " in warned and "Traceback" not in warned
    assert told.splitlines()[0].startswith("backbone") and card_of(store)["weights_hash"] == \
        card_of(trained[0])["weights_hash"]
    server.start()
    again = small.framelight(*arguments)
    assert again.returncode == 0 and "warning" not in again.stderr and "was trained before" in again.stderr
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server.uri)
    [run] = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "FINISHED"
    assert steps(client, run, "expressions-all/loss") == [1, 2, 3, 4]
    assert "confusion.png" in {file.path for file in client.list_artifacts(run.info.run_id)}
