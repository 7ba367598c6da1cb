"""`framelight export` on runs of a small store; test_export_example.py tests the script beside the files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.cli import main
from harness.data.image_decoding import decode_image
from harness.data.registry import open_dataset
from harness.export.exported_model import open_exported
from harness.export.model_files import open_network
from harness.export.onnx import FORMAT
from harness.export.parity import check_parity, compute_outputs, crop_files
from harness.features.store import FeatureStore
from harness.leaderboard.finished_run import find_finished_run
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking import export_records, tracked_records
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import write_json
from harness.utils.store import Store
from harness.video.faces.detector import open_detector
from tests.helpers import small_run

OTHERS = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

def head(kind):
    return HeadConfig(kind, hidden=8, epochs=2)

recipe = Recipe(name="others", backbones=("tiny_mobilenet@random",), baselines=False, pictures=False,
                smoothing=SmoothingGrid(largest=3), grids=(
                    Grid("va", ("embeddings",), (head("mlp"),)), Grid("au", ("embeddings+scores",), (head("mlp"),)),
                    Grid("mtl", ("embeddings+scores",), (head("separate"),))))
"""


def export(store, run, out, *more):
    return main([str(word) for word in ("export", run, "--store", store, "--out", out, "--no-model", *more)])


@pytest.fixture(scope="module")
def others(finished, small_set, tmp_path_factory):
    """A copy of the small store with runs of the other tasks, that of MTL with a network for each output."""
    store = Path(shutil.copytree(finished[0], tmp_path_factory.mktemp("others") / "store"))
    recipe = small_run.write_recipe(store.parent, OTHERS)
    assert main(["run", str(recipe), "--data", str(small_set), "--store", str(store), "--jobs", "1"]) == 0
    return store


def ambiguous(task, outputs, difference, thresholds=0.5):
    """Share of the decisions that outputs which differ by no more than `difference` may turn."""
    shares, slices = [], task.slices()
    for name, columns in slices.items():
        block = outputs[:, columns]
        if name == "expr":
            best = np.sort(block, axis=1)[:, -2:]
            shares.append(best[:, 1] - best[:, 0] <= 2 * difference)
        else:
            turns = np.abs(block - (thresholds if name == "au" else 0)) <= difference
            shares.append(turns if name == "au" else turns.any(axis=1))
    return np.mean([share.mean() for share in shares]) + 1e-9


def test_file_scores_like_the_run_and_costs_are_stored(exported, best, small_set):
    store = Store(exported.parent / "store")
    (known,) = export_records.read_exports(store)
    record, kept = best.record, best.load_predictions()
    assert (known.job_id, known.format, known.precision) == (record.job_id, "onnx", "float32")
    assert 0 < known.largest <= 1e-4 and known.crops == len(kept.frames)
    assert known.agreement >= 1 - ambiguous(TASKS["expr"], kept.outputs, known.largest)
    own = check_parity(best, kept, open_dataset(small_set), kept.outputs)
    assert (own.value, own.agreement) == (pytest.approx(record.metrics[record.metric], abs=1e-6), 1)
    assert known.size == (exported / known.file).stat().st_size and known.memory > 10
    assert set(known.latency) == {"1", "2"} and known.latency["1"]["median"] <= known.latency["1"]["p95"]
    with np.load(store.exported(known.job_id) / "onnx-float32.npz") as counts:
        assert len(counts["units"]) == record.units
        counted = SufficientStatistics("expr", {"expr": counts["expr"]})
        assert score(counted).metrics["P_EXPR"] == pytest.approx(known.value)


def test_card_is_self_contained(exported, best):
    card, record = json.loads((exported / "card.json").read_text()), best.record
    assert card["outputs"]["blocks"][0]["columns"][0] == "Neutral" and card["thresholds"] is None
    assert card["input"] == {**card["input"], "dtype": "uint8", "layout": "NHWC", "colours": "RGB", "any_size": True}
    assert card["smoothing"] == {"kernel": record.kernel, "radius": record.radius, "gaps": "linear"}
    assert card["run"]["job_id"] == record.job_id and card["run"]["value"] == record.metrics["P_EXPR"]
    assert card["licence"] and card["parameters"] > 0 and card["embedding"]["width"] > 0
    assert [file["file"] for file in card["files"]] == ["model-float32.onnx"]


def test_crop_margin_equals_that_of_the_run(readers, best, short_cost, tmp_path, capsys):
    store = Path(shutil.copytree(readers, tmp_path / "store"))
    images = FeatureStore(store / "features").entry(best.configuration.entry).data_digest
    detector, haar = open_detector("auto"), open_detector("haar")
    margins = {haar.identity: [1.2, 0.3, 0.4], detector.identity: [1.3, 0.1, 0.2]}
    write_json(Store(store).crop_margins, {f"{images}, {identity}": margin for identity, margin in margins.items()})
    assert export(store, "best:expr", tmp_path / "out", "--precision", "float32") == 0
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["margin"] == {"scale": 1.3, "dx": 0.1, "dy": 0.2, "detector": detector.name}
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert table[0].split() == ["float32"] and table[1].split()[0] == "MB" and table[-2].startswith("P_EXPR ")
    assert len(table) == 9 and max(map(len, table)) <= 60


def test_export_folder_opens_as_model(exported, best, small_set):
    model, kept = open_exported(exported), best.load_predictions()
    crops = crop_files(kept, open_dataset(small_set))[:70]
    found = model([decode_image(*crop) for crop in crops])
    np.testing.assert_allclose(found, kept.outputs[:70], atol=1e-4)
    assert (model.card.filter, model.card.task.name) == (best.filter, "expr")
    assert model([]).shape == (0, 8)


@pytest.mark.parametrize("task", ("va", "au", "mtl"))
def test_every_task_predicts_like_the_run(task, others, small_set, tmp_path):
    chosen = find_finished_run(
        [one for one in tracked_records(Store(others)) if one.recipe == "others"], f"best:{task}", None, Store(others)
    )
    network, _ = open_network(chosen)
    dataset, kept = open_dataset(small_set), chosen.load_predictions()
    path = FORMAT.write(network, tmp_path, "float32", np.zeros((0, network.size, network.size, 3), np.uint8))
    crops = crop_files(kept, dataset)
    told = []
    found = compute_outputs(
        FORMAT.open(path),
        network.backbone.spec.preprocessing,
        crops,
        tmp_path / "kept",
        network.task.width,
        lambda done, total: told.append((done, total)),
    )
    again = compute_outputs(
        None,
        network.backbone.spec.preprocessing,
        crops,
        tmp_path / "kept",
        network.task.width,
        lambda done, total: None,
    )
    np.testing.assert_array_equal(found, again)
    checked = check_parity(chosen, kept, dataset, found)
    assert checked.largest <= 5e-4  # a feature may round to its float16 neighbour
    thresholds = 0.5 if chosen.filter.thresholds is None else np.array(chosen.filter.thresholds)
    assert checked.agreement >= 1 - ambiguous(network.task, kept.outputs, checked.largest, thresholds)
    assert told[-1] == (len(crops), len(crops))
    own = check_parity(chosen, kept, dataset, kept.outputs)
    assert own.value == pytest.approx(chosen.record.metrics[chosen.record.metric], abs=1e-6)


def test_folder_is_kept_without_force(exported, capsys):
    before = (exported / "card.json").read_bytes()
    assert export(exported.parent / "store", "best:expr", exported) == 2
    assert "not empty" in capsys.readouterr().err and (exported / "card.json").read_bytes() == before


def test_modified_or_missing_file_is_rejected(exported, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    (folder / "model-float32.onnx").write_bytes(b"other")
    with pytest.raises(FramelightError, match="does not match its hash.*--force"):
        open_exported(folder)
    (folder / "model-float32.onnx").unlink()
    with pytest.raises(FramelightError, match="is missing"):
        open_exported(folder)
    (folder / "card.json").write_text("[")
    with pytest.raises(FramelightError, match="cannot be read"):
        open_exported(folder)
    (folder / "card.json").unlink()
    with pytest.raises(InputError, match="no card.json"):
        open_exported(folder)


@pytest.mark.slow
def test_every_precision_is_exported_and_a_second_time_gives_the_same_files(others, tmp_path):
    for name in ("one", "two"):
        done = small_run.framelight("export", "best:mtl", "--store", others, "--out", tmp_path / name, "--no-model")
        assert done.returncode == 0, done.stderr
    for precision in FORMAT.precisions:
        file = f"model-{precision}.onnx"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
