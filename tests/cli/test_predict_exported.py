"""`framelight predict` with exports instead of runs."""

import json

import numpy as np
import pytest

from harness.chosen import chosen_run
from harness.export.card import CARD, card_of, file_of
from harness.export.exporting import opened
from harness.export.onnx_format import FORMAT
from harness.faces.cropping import Margin
from harness.files import write_json
from harness.tracking import tracked_records
from tests.cli.predicting import PROBABILITIES, numbers, predict, runs_of


@pytest.fixture
def exported(readers, tmp_path):
    """The folder of an export of the best run of expressions, its file neither scored nor timed."""
    chosen = chosen_run(tracked_records(readers, None), "best:expr", None, readers)
    network, _ = opened(chosen, readers, lambda text: None)
    folder = tmp_path / "export"
    folder.mkdir()
    path = FORMAT.write(network, folder, "float32", np.zeros((0, network.size, network.size, 3), np.uint8))
    card = card_of(chosen, network, FORMAT, False, 0, margin=Margin(1.2, 0.1, 0.05))
    write_json(folder / CARD, {**card, "files": [file_of(FORMAT, path, "float32")]})
    return folder


@pytest.fixture
def crops(small_set):
    return sorted((small_set / "cropped_aligned").iterdir())[0]


def test_an_export_reads_as_its_run_does_with_its_filter_and_margin(readers, exported, crops, tmp_path):
    assert predict(readers, crops, tmp_path / "run") == 0
    assert predict(tmp_path / "nowhere", crops, tmp_path / "file", runs=(exported,)) == 0
    run, = runs_of(tmp_path / "run")
    file, = runs_of(tmp_path / "file")
    assert (file["kernel"], file["radius"], file["gaps"]) == (run["kernel"], run["radius"], run["gaps"])
    assert file["name"] == f"{run['name']}-float32"
    for suffix in ("", "_raw"):
        columns = [name + suffix for name in PROBABILITIES["expr"]]
        assert numbers(tmp_path / "file", *columns) == pytest.approx(numbers(tmp_path / "run", *columns), abs=1e-4,
                                                                    nan_ok=True)


def test_faces_are_cut_as_the_card_says(readers, exported, tmp_path):
    from tests.media.films import film

    assert predict(readers, film(tmp_path / "a.mp4", 3), tmp_path / "out", runs=(exported,)) == 0
    assert runs_of(tmp_path / "out")[0]["margin"] == {"scale": 1.2, "dx": 0.1, "dy": 0.05}


def test_an_export_that_was_altered_or_is_none_is_refused(readers, exported, crops, tmp_path, capsys):
    data = bytearray((exported / "model-float32.onnx").read_bytes())
    data[-1] ^= 1
    (exported / "model-float32.onnx").write_bytes(data)
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 1
    assert "model-float32.onnx is altered" in capsys.readouterr().err
    (exported / CARD).unlink()
    assert predict(readers, crops, tmp_path / "out", runs=(exported,)) == 2
    assert "is not the folder of an export" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_run_and_its_export_may_be_read_side_by_side(readers, exported, crops, tmp_path):
    assert predict(readers, crops, tmp_path / "out", runs=("best:expr", exported)) == 0
    names = [run["name"] for run in json.loads((tmp_path / "out" / "predict.json").read_text())["runs"]]
    own, file = (numbers(tmp_path / "out", *(f"{name}.{column}" for column in PROBABILITIES["expr"]))
                 for name in names)
    assert len(names) == 2 and own == pytest.approx(file, abs=1e-4)
