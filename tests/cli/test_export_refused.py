"""Runs that `framelight export` refuses."""

import shutil
from pathlib import Path

from harness.cli import main
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import tracked_records
from harness.utils.store import Store


def refused(capsys, store, run, out, *more, code=2):
    words = ("export", run, "--store", store, "--out", out, "--no-model", *more)
    assert main([str(word) for word in words]) == code
    assert not out.exists()
    return capsys.readouterr().err


def test_unexportable_runs_raise(readers, small_set, tmp_path, capsys):
    records = {record.backbone: record for record in tracked_records(Store(readers)) if record.kind == "baseline"}
    constant = next(record for name, record in records.items() if record.features == "none")
    out = tmp_path / "out"
    assert "reads no images" in refused(capsys, readers, constant.group_id, out)
    noise = next(record for record in records.values() if record.features == "noise")
    assert "reads no images" in refused(capsys, readers, noise.group_id, out)
    assert "unknown run 'zzzz'" in refused(capsys, readers, "zzzz", out)


def test_missing_or_other_data_raises(readers, small_set, tmp_path, capsys):
    store, out = Path(shutil.copytree(readers, tmp_path / "store")), tmp_path / "out"
    altered = Path(shutil.copytree(small_set, tmp_path / "altered"))
    next(altered.rglob("*.jpg")).unlink()
    assert "is not the dataset" in refused(capsys, store, "best:expr", out, "--data", altered)
    (store / "features" / "whereabouts.json").unlink()
    assert "has no location in this store; pass it with --data DIR" in refused(capsys, store, "best:expr", out)
    assert "not at" in refused(capsys, store, "best:expr", out, "--data", tmp_path / "nowhere")


def test_modified_model_is_not_exported(readers, tmp_path, capsys):
    best = find_finished_run(tracked_records(Store(readers)), "best:expr", None, Store(readers))
    store = Path(shutil.copytree(readers, tmp_path / "store"))
    model = store / best.folder.relative_to(readers) / "head.safetensors"
    model.write_bytes(model.read_bytes()[:-4] + b"\0\0\0\1")
    assert "head.safetensors" in refused(capsys, store, best.record.group_id, tmp_path / "out", code=1)
