"""An imported ONNX graph that was fine-tuned: used by a recipe and exported like any backbone."""

import json
import shutil

import numpy as np
import pytest

import backbones
from harness.cli import main
from harness.data.image_decoding import decode_image
from harness.data.registry import open_dataset
from harness.export.exported_model import open_exported
from harness.export.parity import crop_files
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import export_records, tracked_records
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.backbone_recipes import card_of_named
from tests.helpers.onnx_models import mobile

RECIPE = """
from harness import Grid, HeadConfig, Recipe

head = HeadConfig("logistic_regression", hidden=0, epochs=5)
recipe = Recipe(name="tuned", backbones=("tuned",), baselines=False, pictures=False,
                grids=(Grid("expr", ("embeddings+scores",), (head,)),))
"""
FINE_TUNING = ("name=tuned", "backbone=mine", "identities=none", "expressions.schedule.epochs=2")


@pytest.fixture
def store(drawn, table, empty_store, tmp_path):
    """A store with an imported graph in BGR, `mine`, and what was trained from it, `tuned`."""
    store = shutil.copytree(empty_store, tmp_path / "store")
    graph = mobile(tmp_path / "m.onnx")
    command = ["backbones", "import", graph, "--name", "mine", "--like", "imagenet", "--channels", "bgr"]
    train = ["train-backbone", drawn, "--data", table, *(word for text in FINE_TUNING for word in ("--set", text))]
    for words in (command, train):
        assert main([str(word) for word in (*words, "--store", store)]) == 0
    return store


def test_fine_tuned_graph_is_exported(store, table, short_cost, tmp_path):
    parent, card = backbones.read_card(store / "artifacts/backbones/mine"), card_of_named(store, "tuned")
    assert card["parent_hash"] == parent["weights_hash"] != card["weights_hash"] and card["score_width"] == 8
    recipe = small_run.write_recipe(tmp_path, RECIPE)
    assert main(["run", str(recipe), "--data", str(table), "--store", str(store), "--jobs", "1"]) == 0
    assert main(["export", "best:expr", "--store", str(store), "--out", str(tmp_path / "out"), "--no-model"]) == 0

    run = find_finished_run(tracked_records(Store(store)), "best:expr", None, Store(store))
    exports = {known.precision: known for known in export_records.read_exports(Store(store))}
    assert set(exports) == {"float32", "float16", "int8"}
    exact = exports["float32"]
    assert exact.largest <= 1e-4 and exact.agreement == 1
    assert exact.value == pytest.approx(run.record.metrics["P_EXPR"], abs=1e-6)
    predictions = run.load_predictions()
    crops = crop_files(predictions, open_dataset(table))
    outputs = open_exported(tmp_path / "out")([decode_image(*crop) for crop in crops])
    np.testing.assert_allclose(outputs, predictions.outputs, atol=1e-4)
    assert np.ptp(outputs, axis=0).max() > 0.1
    assert json.loads((tmp_path / "out" / "card.json").read_text())["macs"] > card["macs"]
