"""`framelight predict` with exports instead of runs."""

import json
import shutil

import numpy as np
import pytest

import backbones
from backbones.card import CARD
from harness.export.card import describe_file, make_card
from harness.export.card_reader import read_card
from harness.export.model_files import open_network
from harness.export.network import with_random_head
from harness.export.onnx import FORMAT
from harness.leaderboard.finished_run import find_finished_run
from harness.metrics.tasks import TASKS
from harness.smoothing.kernels import SmoothingParams
from harness.tracking import tracked_records
from harness.utils.errors import InputError
from harness.utils.files import write_json
from harness.utils.store import Store
from tests.helpers.predict_command import PROBABILITIES, numbers, predict, runs_of


@pytest.fixture(scope="module")
def made(readers, tmp_path_factory):
    """The folder of an export of the best run of expressions, its file neither scored nor timed."""
    chosen = find_finished_run(tracked_records(Store(readers)), "best:expr", None, Store(readers))
    network, _ = open_network(chosen)
    folder = tmp_path_factory.mktemp("export")
    path = FORMAT.write(network, folder, "float32", np.zeros((0, network.size, network.size, 3), np.uint8))
    card = make_card(
        chosen, network, FORMAT, False, 0, margin={"scale": 1.2, "dx": 0.1, "dy": 0.05, "detector": "haar"}
    )
    write_json(folder / CARD, {**card, "files": [describe_file(FORMAT, path, "float32")]})
    return folder


@pytest.fixture
def exported(made, tmp_path):
    """One's own copy of it."""
    return shutil.copytree(made, tmp_path / "export")


@pytest.fixture
def crops(small_set):
    return sorted((small_set / "cropped_aligned").iterdir())[0]


def test_export_predicts_like_its_run(readers, exported, crops, tmp_path):
    assert predict(readers, crops, tmp_path / "run") == 0
    assert predict(tmp_path / "nowhere", crops, tmp_path / "file", runs=(exported,)) == 0
    (run,) = runs_of(tmp_path / "run")
    (file,) = runs_of(tmp_path / "file")
    assert (file["kernel"], file["radius"], file["gaps"]) == (run["kernel"], run["radius"], run["gaps"])
    assert file["name"] == f"{run['name']}-float32"
    for suffix in ("", "_raw"):
        columns = [name + suffix for name in PROBABILITIES["expr"]]
        assert numbers(tmp_path / "file", *columns) == pytest.approx(
            numbers(tmp_path / "run", *columns), abs=1e-4, nan_ok=True
        )


def test_faces_are_cropped_with_the_margin_of_the_card(readers, exported, tmp_path, capsys):
    from tests.helpers.video_files import film

    clip = film(tmp_path / "a.mp4", 3)
    assert predict(readers, clip, tmp_path / "out", "--detector", "haar", runs=(exported,)) == 0
    assert runs_of(tmp_path / "out")[0]["margin"] == {"scale": 1.2, "dx": 0.1, "dy": 0.05}
    assert "was estimated with the detector" not in capsys.readouterr().err
    rewritten(exported, ("margin", "detector"), "other.onnx")
    assert predict(readers, clip, tmp_path / "again", runs=(exported,)) == 0
    assert "was estimated with the detector other.onnx" in capsys.readouterr().err


def test_modified_or_invalid_export_is_rejected(readers, exported, crops, tmp_path, capsys):
    data = bytearray((exported / "model-float32.onnx").read_bytes())
    data[-1] ^= 1
    (exported / "model-float32.onnx").write_bytes(data)
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 2
    assert "model-float32.onnx does not match its hash" in capsys.readouterr().err
    (exported / CARD).unlink()
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 2
    assert "is not an exported model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_run_and_export_in_one_call(readers, exported, crops, tmp_path):
    assert predict(readers, crops, tmp_path / "out", runs=("best:expr", exported)) == 0
    names = [run["name"] for run in json.loads((tmp_path / "out" / "predict.json").read_text())["runs"]]
    own, file = (numbers(tmp_path / "out", *(f"{name}.{column}" for column in PROBABILITIES["expr"])) for name in names)
    assert len(names) == 2 and own == pytest.approx(file, abs=1e-4)


def rewritten(folder, place, value):
    """One value of the card is another; place: its keys."""
    card = json.loads((folder / CARD).read_text())
    within = card
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    write_json(folder / CARD, card)


@pytest.mark.parametrize(
    "place, value, said",
    [
        (("files", 0, "file"), "../out.onnx", "file is '../out.onnx', not the name of a file"),
        (
            ("files", 0, "parts"),
            {"../model-float32.onnx": "0" * 64},
            "the parts of model-float32.onnx do not map file names to hashes",
        ),
        (("files", 0, "parts"), {}, "parts of model-float32.onnx are missing or have no hash"),
        (("outputs", "columns"), ["Anger", "Neutral"], "its columns differ from those of task expr"),
        (("task",), "mood", "unknown task 'mood'"),
        (("smoothing", "kernel"), "meen", "did you mean mean"),
        (("smoothing", "radius"), -3, "radius -3 is not an integer from 0 to 250"),
        (("run",), {}, "job_id"),
        (("thresholds",), [0.5], "thresholds are not 0 numbers, one for each action unit"),
        (("input",), None, "is invalid"),
        (("causal",), {"kernel": "exponential"}, "'thresholds' is missing"),
        (("margin",), {}, "'scale' is missing"),
    ],
)
def test_invalid_card_is_rejected(readers, exported, crops, tmp_path, capsys, place, value, said):
    rewritten(exported, place, value)
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 2
    error = capsys.readouterr().err
    assert f"{exported / CARD} is invalid" in error and said in error and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "place, value, said",
    [
        (("version",), 2, "written by a newer version of Framelight (format 2"),
        (("kind",), "a shopping list", "is not the card of an export"),
        (("files",), [], "is not the card of an export"),
        (("format",), "onxx", "did you mean onnx"),
    ],
)
def test_other_card_is_rejected(readers, exported, crops, tmp_path, capsys, place, value, said):
    rewritten(exported, place, value)
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 2
    assert said in capsys.readouterr().err


def test_missing_runtime_is_named(exported, monkeypatch):
    monkeypatch.setattr("harness.export.formats.find_spec", lambda name: name != "onnxruntime")
    with pytest.raises(InputError, match="cannot be run here because a package is missing: pip install onnxruntime"):
        read_card(exported)
    monkeypatch.setattr("harness.export.formats.find_spec", lambda name: name == "onnxruntime")
    assert read_card(exported).form is FORMAT


def test_file_with_other_outputs_is_rejected(readers, exported, crops, tmp_path, capsys):
    other = with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["va"])
    path = FORMAT.write(other, exported, "float32", np.zeros((0, other.size, other.size, 3), np.uint8))
    rewritten(exported, ("files", 0), describe_file(FORMAT, path, "float32"))
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 1
    assert "returns no outputs with the 8 columns of task expr" in capsys.readouterr().err


def test_causal_thresholds_are_stored_separately(readers, tmp_path):
    chosen = find_finished_run(tracked_records(Store(readers)), "best:au", None, Store(readers))
    network, _ = open_network(chosen)
    path = FORMAT.write(network, tmp_path, "float32", np.zeros((0, network.size, network.size, 3), np.uint8))
    live = SmoothingParams("exponential", 3, "held", tuple(i / 16 for i in range(12)))
    card = make_card(chosen, network, FORMAT, False, 0, causal=live)
    write_json(tmp_path / CARD, {**card, "files": [describe_file(FORMAT, path, "float32")]})
    told = read_card(tmp_path)
    assert (told.filter, told.causal) == (chosen.filter, live) and live.thresholds != chosen.filter.thresholds
