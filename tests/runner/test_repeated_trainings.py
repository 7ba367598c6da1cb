"""Backbones that a recipe trains with several seeds: entries, jobs, and their one row on the board."""

import json
import shutil

import pytest

from harness.cli import main
from harness.leaderboard.runs import find_records
from harness.metrics.variance_components import variance_components
from harness.tracking import tracked_records
from harness.utils.store import Store
from tests.helpers.small_run import write_recipe

RECIPE = """
from harness import (Augmentation, Expressions, Grid, HeadConfig, Recipe, Schedule, SmoothingGrid, StillsConfig,
                     SyntheticStills, TrainedBackbone)

training = StillsConfig("tiny_mobilenet@random", expressions=Expressions(Schedule(epochs=1)),
                        augmentation=Augmentation(strength=0.1), batch_size=8, threads=1)
recipe = Recipe(
    name="repeated",
    trained=(TrainedBackbone("mine", training, SyntheticStills(images=48, identities=6), seeds=(0, 1)),),
    backbones=("mine", "tiny_mobilenet@random"),
    grids=(Grid("expr", ("embeddings",), (HeadConfig("logistic_regression", hidden=0, epochs=2),)),),
    smoothing=SmoothingGrid(largest=3),
    seeds=(0, 1, 2),
    pictures=False,
)
"""


@pytest.fixture(scope="module")
def repeated(small_set, empty_store, tmp_path_factory):
    """A store in which the recipe has run, and the arguments of that run."""
    folder = tmp_path_factory.mktemp("repeated")
    store = shutil.copytree(empty_store, folder / "store")
    arguments = ["run", write_recipe(folder, RECIPE), "--data", small_set, "--store", store, "--jobs", 1]
    assert main(list(map(str, arguments))) == 0
    return Store(store), list(map(str, arguments))


@pytest.fixture
def board(repeated, capsys):
    capsys.readouterr()
    assert main(["leaderboard", "--store", str(repeated[0]), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def row_of(board, backbone, kind="run"):
    (row,) = [row for row in board if row["backbone"] == backbone and row["kind"] == kind]
    return row


def test_each_training_is_an_entry_with_other_initial_weights(repeated):
    store, _ = repeated
    cards = [json.loads((path / "card.json").read_text()) for path in sorted(store.backbones.glob("mine-*"))]
    assert len(cards) == 2 and {card["recipe"]["seed"] for card in cards} == {0, 1}
    assert {card["parent"] for card in cards} == {"random (seed 0)", "random (seed 1)"}
    assert len({card["weights_hash"] for card in cards}) == len({card["parent_hash"] for card in cards}) == 2


def test_trainings_and_seeds_are_one_row_with_both_parts_of_the_variance(repeated, board):
    row = row_of(board, "mine")
    records = [record for record in tracked_records(repeated[0]) if record.group_id == row["run_id"]]
    assert sorted(record.job_id for record in records) == sorted(
        f"{row['run_id']}-t{training}-s{seed}" for training in (0, 1) for seed in (0, 1, 2)
    )
    assert (row["trainings"], row["seeds"], row["trainings_missing"], row["seeds_missing"]) == (
        [0, 1],
        [0, 1, 2],
        [],
        [],
    )
    assert len({record.weights_hash for record in records}) == 2
    scores = [[one.metrics["P_EXPR"] for one in records if one.training == training] for training in (0, 1)]
    expected = variance_components(scores)
    for name in ("std_trainings", "std_seeds"):
        assert row[name] == pytest.approx(getattr(expected, name.removeprefix("std_")), abs=1e-6)
    assert row["std"] == pytest.approx(expected.total, abs=1e-6) and row["value"] == pytest.approx(
        sum(map(sum, scores)) / 6, abs=1e-6
    )
    assert row["ci_low"] < row["value"] < row["ci_high"] and row["ci_method"] != "records"


def test_zero_shot_baseline_is_one_row_over_trainings(board):
    row = row_of(board, "mine", "baseline")
    assert (row["trainings"], row["seeds"], row["std_seeds"]) == ([0, 1], [0], None)
    assert row["std_trainings"] == row["std"]


def test_row_with_one_training_is_compared_with_every_training(board):
    single = row_of(board, "tiny_mobilenet")
    assert single["trainings"] == [] and single["std_trainings"] is None
    assert single["untested"] is False and row_of(board, "mine")["untested"] is False


def test_board_and_show_name_the_trainings(repeated, board, capsys):
    assert main(["leaderboard", "--store", str(repeated[0])]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "held-out protocol, refit on all training videos" in text and "2 x 3" in text
    assert "standard deviation between trainings of the backbone 0." in text.lower()
    assert main(["show", row_of(board, "mine")["run_id"], "--store", str(repeated[0])]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "training, seed" in shown and "between seeds of the head 0." in shown
    assert main(["show", row_of(board, "mine")["run_id"], "--store", str(repeated[0]), "--format", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["seeds"].keys() == {f"t{training}-s{seed}" for training in (0, 1) for seed in (0, 1, 2)}
    assert summary["spread"]["trainings"] == pytest.approx(row_of(board, "mine")["std_trainings"], abs=1e-6)


def test_job_id_selects_one_training(repeated, board):
    records, run = tracked_records(repeated[0]), row_of(board, "mine")["run_id"]
    (one,) = find_records(records, f"{run}-t1-s2")
    assert one.repetition == (1, 2)
    assert [record.repetition for record in find_records(records, f"{run}-s2")] == [(0, 2), (1, 2)]


def test_one_training_shares_predictions_and_is_named_on_the_board(repeated, capsys):
    store, arguments = repeated
    before = {path.name for path in store.all_predictions.iterdir()}
    assert main([*arguments, "--set", "trained.seeds=1", "--set", "backbones=mine"]) == 0
    assert {path.name for path in store.all_predictions.iterdir()} == before
    assert "one training of the backbone" in capsys.readouterr().out.lower()


def test_setting_of_a_part_that_the_recipe_lacks_raises(small_set, tmp_path, capsys):
    arguments = ["run", str(write_recipe(tmp_path)), "--data", str(small_set), "--store", str(tmp_path / "store")]
    assert main([*arguments, "--set", "trained.seeds=0,1"]) == 2
    assert "the recipe 'small' has no trained; omit this setting" in capsys.readouterr().err
