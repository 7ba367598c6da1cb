"""Models of the registry are downloaded as export folders."""

import os
import shutil

import pytest

from harness.export.registry.download import fetch_model
from harness.export.registry.log_model import log_exported
from harness.export.registry.mlflow_registry import CARD, EXAMPLE, FILE, MODEL, SHA256
from harness.tracking import locate
from harness.tracking.mlflow_api import MlflowClient
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from tests.helpers.exported_runs import track, write_export
from tests.helpers.job_statistics import keep

NAME = "framelight-expr-rendered"


@pytest.fixture
def exported(store, tmp_path):
    """An export of a run that leads its board, registered."""
    runs = keep(store, "best", 0.7)
    track(store, runs)
    out = write_export(tmp_path / "out")
    log_exported(Store(store), runs[0], out)
    return runs[0], out


def test_export_folder_is_restored(store, exported):
    _, out = exported
    folder = fetch_model(f"models:/{NAME}@champion", Store(store))
    assert folder == fetch_model(f"models:/{NAME}/1", Store(store)) and folder.is_relative_to(store)
    assert {path.name for path in folder.iterdir()} == {FILE, CARD, EXAMPLE}
    assert (folder / FILE).read_bytes() == (out / FILE).read_bytes()


def test_moved_store_keeps_its_models(store, exported, tmp_path):
    shutil.move(store, tmp_path / "moved")
    folder = fetch_model(f"models:/{NAME}@champion", Store(tmp_path / "moved"))
    assert folder.is_relative_to(tmp_path / "moved") and (folder / FILE).is_file()


@pytest.mark.parametrize("how", ["is missing", "has changed"])
def test_missing_or_modified_model_file_raises_until_exported_again(store, exported, how):
    record, out = exported
    file = fetch_model(f"models:/{NAME}/1", Store(store)) / FILE
    file.unlink() if how == "is missing" else file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(FramelightError, match=f"{file} {how} since .*export run best again"):
        fetch_model(f"models:/{NAME}@champion", Store(store))
    log_exported(Store(store), record, out)
    mended = fetch_model(f"models:/{NAME}@champion", Store(store))
    assert mended != file.parent and (mended / FILE).read_bytes() == (out / FILE).read_bytes()


@pytest.mark.parametrize(
    "uri, match",
    [
        ("models:/framelight-expr-renderd@champion", f"unknown model 'framelight-expr-renderd'; did you mean {NAME}"),
        (f"models:/{NAME}@champoin", "unknown alias .*'champoin'; did you mean champion"),
        (f"models:/{NAME}/7", f"has no version 7; it has models:/{NAME}/1"),
        (f"models:/{NAME}", "is not a model URI; write models:/NAME@ALIAS"),
        ("models:/", "is not a model URI"),
        (f"models:/{NAME}/latest", "is not a model URI"),
        (f"models:/{NAME}@a/b", "is not a model URI"),
        ("models:/it's@champion", "is not a model URI"),
        ("models:/m-0123", "is not a model URI"),
    ],
)
def test_unknown_model_raises(store, exported, uri, match):
    with pytest.raises(InputError, match=match):
        fetch_model(uri, Store(store))


def test_missing_champion_lists_versions(store, tmp_path):
    jobs = [*keep(store, "first", 0.6), *keep(store, "second", 0.6, same=True)]
    track(store, jobs)
    log_exported(Store(store), jobs[0], write_export(tmp_path / "out"))
    with pytest.raises(InputError, match=f"none of its runs was significantly better .* models:/{NAME}/1"):
        fetch_model(f"models:/{NAME}@champion", Store(store))


def test_store_without_models_raises_with_command(store, tmp_path):
    with pytest.raises(InputError, match="no model is registered at .*framelight export RUN"):
        fetch_model(f"models:/{NAME}@champion", Store(store))
    with pytest.raises(InputError, match="has no tracked runs yet.*--store DIR"):
        fetch_model(f"models:/{NAME}@champion", Store(tmp_path / "none"))
    assert not (tmp_path / "none").exists(), "reading makes no store"


def test_foreign_model_is_rejected(store):
    client = MlflowClient(locate(Store(store)).uri)
    client.create_registered_model("theirs")
    client.create_model_version("theirs", str(store))
    with pytest.raises(InputError, match="models:/theirs/1 was not registered by framelight export"):
        fetch_model("models:/theirs/1", Store(store))


def test_tag_with_path_outside_store_removes_nothing(store, tmp_path):
    theirs = tmp_path / "precious"
    theirs.mkdir()
    (theirs / "mine.txt").write_text("mine")
    client = MlflowClient(locate(Store(store)).uri)
    client.create_registered_model("theirs")
    outside = os.path.relpath(theirs, store / "artifacts" / "models")
    client.create_model_version("theirs", "s3://bucket/model", tags={MODEL: outside, SHA256: "0" * 64})
    with pytest.raises(InputError, match="was not registered by framelight export"):
        fetch_model("models:/theirs/1", Store(store))
    assert (theirs / "mine.txt").is_file()


@pytest.mark.slow
def test_download_from_server_restores_the_folder(server, tmp_path):
    runs = keep(tmp_path / "ran", "best", 0.7)
    track(tmp_path / "ran", runs, server.uri)
    out = write_export(tmp_path / "out")
    for word in ("logged to", "already in"):
        said = log_exported(Store(tmp_path / "ran", server.uri), runs[0], out)
        assert said[0] == f"{word} MLflow as models:/{NAME}/1, at {server.uri}"
    elsewhere = tmp_path / "elsewhere"
    folder = fetch_model(f"models:/{NAME}@champion", Store(elsewhere, server.uri))
    assert folder.is_relative_to(elsewhere) and (folder / FILE).read_bytes() == (out / FILE).read_bytes()
    assert fetch_model(f"models:/{NAME}/1", Store(elsewhere, server.uri)) == folder
    assert [path.name for path in folder.parents[2].iterdir()] == [folder.parents[1].name]
    assert {path.name for path in folder.parents[1].iterdir()} >= {"MLmodel", "data", "code"}
    (folder / FILE).write_bytes(b"another")
    fetch_model(f"models:/{NAME}/1", Store(elsewhere, server.uri))
    assert (folder / FILE).read_bytes() == (out / FILE).read_bytes(), "a copy that was altered is fetched again"
    server.stop()
    for call in (
        lambda: fetch_model(f"models:/{NAME}/1", Store(elsewhere, server.uri)),
        lambda: log_exported(Store(tmp_path / "ran", server.uri), runs[0], out),
    ):
        with pytest.raises(FramelightError, match=f"{server.uri} does not answer"):
            call()
