"""Locations in a store, which must stay readable in old stores."""

import os
import pickle
from pathlib import Path

import pytest

from harness.utils.errors import InputError
from harness.utils.store import Store

PLACES = {
    "features": "features",
    "digests": "features/digests.json",
    "backbone_info": "features/backbones.json",
    "crop_margins": "features/margins.json",
    "dataset_locations": "features/whereabouts.json",
    "mlflow_database": "mlflow.db",
    "mlflow_lock": "mlflow.lock",
    "optuna_database": "optuna.db",
    "jobs": "artifacts/jobs",
    "all_predictions": "artifacts/predictions",
    "causal": "artifacts/causal",
    "significance": "artifacts/evidence",
    "backbones": "artifacts/backbones",
    "trainings": "artifacts/trainings",
    "engines": "artifacts/engines",
    "studies": "artifacts/studies",
    "exports": "artifacts/exports",
    "models": "artifacts/models",
    "leaks": "artifacts/leaks",
    "synthetic": "artifacts/synthetic",
    "mlflow": "artifacts/mlflow",
}


@pytest.mark.parametrize("name", PLACES)
def test_folders_keep_their_names(name):
    assert getattr(Store("there"), name) == Path("there") / PLACES[name] and getattr(Store, name) == Path(PLACES[name])


def test_entry_folders():
    store = Store("there")
    assert store.job("a-s0") == store.jobs / "a-s0" and store.predictions("b-s0") == store.all_predictions / "b-s0"
    assert store.mlflow_model("m-1") == Path("there/artifacts/mlflow/models/m-1/artifacts")


def test_store_is_a_path_and_prints_as_one(tmp_path):
    store = Store(str(tmp_path), "http://server")
    assert os.fspath(store) == str(store) == str(tmp_path) and Path(store) == tmp_path
    assert pickle.loads(pickle.dumps(store)) == store and store.untracked == Store(tmp_path) != store


def test_store_from_path_or_store(tmp_path, monkeypatch):
    store = Store(tmp_path, "http://server")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Store.default(store) is store and Store.default(tmp_path) == Store.default(str(tmp_path)) == Store(tmp_path)
    monkeypatch.setenv("FRAMELIGHT_STORE", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert Store.default() == store and Store.default(tmp_path, "http://other").tracking_uri == "http://other"
    monkeypatch.chdir(tmp_path)
    assert Store("here", "http://server").resolve() == Store(tmp_path.resolve() / "here", "http://server")


def test_runs_are_in_the_store_or_where_the_uri_says(tmp_path):
    assert not Store(tmp_path).has_runs and Store(tmp_path, "http://server").has_runs
    Store(tmp_path).mlflow_database.touch()
    assert Store(tmp_path).has_runs


def test_store_that_is_a_file_raises(tmp_path):
    Store(tmp_path).require_folder()
    Store(tmp_path / "not there yet").require_folder()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; a store is a folder"):
        Store(tmp_path / "file").require_folder()
