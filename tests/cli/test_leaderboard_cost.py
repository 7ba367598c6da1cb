"""`framelight leaderboard --cost` on a store with an exported run."""

import csv
import io
import json
import subprocess

import pytest

from harness.cli import main
from harness.tracking.export_records import read_exports
from harness.utils.store import Store
from tests.helpers.short_measurement import short_measurement


@pytest.fixture(scope="module")
def store(finished, tmp_path_factory):
    """A copy of that store with the best expression run exported."""
    folder = tmp_path_factory.mktemp("cost")
    subprocess.run(["cp", "-a", finished[0], folder / "store"], check=True)
    command = ["export", "best:expr", "--store", folder / "store", "--precision", "float32", "--no-model"]
    with short_measurement():
        assert main([*map(str, command), "--out", str(folder / "out")]) == 0
    return folder / "store"


def shown(capsys, *arguments):
    """(exit code, stdout, stderr)"""
    code = main(["leaderboard", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_row_has_accuracy_and_cost(capsys, store):
    code, out, _ = shown(capsys, "--cost", "--store", store, "--format", "json")
    assert code == 0
    rows = json.loads(out)
    (known,) = read_exports(Store(store))
    (row,) = [row for row in rows if row["format"]]
    assert (row["run_id"], row["precision"], row["size"], row["device"]) == (
        known.group_id,
        "float32",
        known.size,
        known.device,
    )
    assert row["pareto"] and row["latency_1"] == pytest.approx(known.latency["1"]["median"], abs=1e-6)
    assert row["latency_2"] > 0 and row["p95_1"] >= row["latency_1"] and row["memory"] > 0
    board = json.loads(shown(capsys, "--store", store, "--format", "json")[1])
    run = next(one for one in board if one["run_id"] == known.group_id)
    assert row["value"] == pytest.approx(run["value"], abs=1e-4)
    assert row["difference"] == pytest.approx(0, abs=1e-4)
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    others = {one["run_id"]: one for one in rows if not one["format"]}
    assert others.keys() == {one["run_id"] for one in board if one["kind"] == "run"} - {known.group_id}
    assert all(one["macs"] > 1e6 and one["parameters"] > 1e4 for one in others.values())


def test_table_names_device_and_command(capsys, store):
    _, out, _ = shown(capsys, "--cost", "--store", store)
    (known,) = read_exports(Store(store))
    assert f"Measured on {known.device}." in out and "Pareto front" in out and "onnx float32" in out
    assert out.count("1 run without an exported file") == 2, "of two expression runs one, and that of action units"
    assert all(len(line) <= 100 for line in out.splitlines())
    _, table, _ = shown(capsys, "--cost", "--store", store, "--task", "expr", "--format", "csv")
    assert {row["task"] for row in csv.DictReader(io.StringIO(table))} == {"expr"}
    _, text, _ = shown(capsys, "--cost", "--store", store, "--format", "md")
    assert "### Expression on small" in text and "| ms, 1 thread |" in text


def test_plot_is_written(capsys, store, tmp_path):
    code, _, err = shown(capsys, "--cost", "--store", store, "--plot", tmp_path / "deep" / "cost.png")
    assert code == 0 and f"drawn: {tmp_path / 'deep' / 'cost.png'}" in err
    from PIL import Image

    with Image.open(tmp_path / "deep" / "cost.png") as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 500


def test_empty_plot_raises_before_writing(capsys, finished, store, tmp_path):
    code, _, err = shown(capsys, "--cost", "--store", store, "--task", "au", "--plot", tmp_path / "cost.png")
    assert code == 2 and "framelight export RUN" in err and not (tmp_path / "cost.png").exists()
    code, _, err = shown(capsys, "--cost", "--store", store, "--plot", tmp_path)
    assert code == 2 and "is a folder; give a file name in it" in err
    code, out, _ = shown(capsys, "--cost", "--store", tmp_path / "none")
    assert code == 0 and "framelight run quickstart" in out


def test_unreadable_export_record_is_ignored(capsys, store, tmp_path):
    subprocess.run(["cp", "-a", store, tmp_path / "store"], check=True)
    path = next((tmp_path / "store/artifacts/exports").glob("*/*.json"))
    path.write_text("{")
    _, out, _ = shown(capsys, "--cost", "--store", tmp_path / "store", "--format", "json")
    assert not any(row["format"] for row in json.loads(out))
    next(path.parent.glob("*.npz")).write_bytes(b"")
    path.unlink()
    assert shown(capsys, "--cost", "--store", tmp_path / "store")[0] == 0


def test_file_whose_statistics_are_damaged_has_a_score_without_interval(capsys, store, tmp_path):
    subprocess.run(["cp", "-a", store, tmp_path / "store"], check=True)
    path = next((tmp_path / "store/artifacts/exports").glob("*/*.npz"))
    path.unlink()
    path.write_bytes(b"no archive")
    _, out, err = shown(capsys, "--cost", "--store", tmp_path / "store", "--format", "json")
    (row,) = [row for row in json.loads(out) if row["format"]]
    assert row["value"] is not None and row["ci_low"] is row["difference_low"] is None
    assert "cannot read a job's statistics" in err
