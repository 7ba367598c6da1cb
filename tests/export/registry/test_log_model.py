"""Exports as MLflow models, in the database of a store."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.export.registry.log_model import log_exported, model_name
from harness.export.registry.mlflow_registry import CARD, EXAMPLE, FILE, FOLDER, SHA256, Registry
from harness.tracking import locate, open_tracker
from harness.tracking.mlflow_api import MlflowClient
from harness.tracking.serialization import JOB_TAG
from harness.utils.store import Store
from tests.helpers.exported_runs import outputs_of, some_crops, track, write_export
from tests.helpers.job_statistics import keep
from tests.helpers.records import record

NAME = "framelight-expr-rendered"


def client(store):
    return MlflowClient(locate(Store(store)).uri)


def versions(store):
    return sorted(client(store).search_model_versions(f"name = '{NAME}'"), key=lambda one: one.version)


def champion(store):
    [model] = client(store).search_registered_models(f"name = '{NAME}'")
    return model.aliases.get("champion")


def run_of(store, job):
    [run] = client(store).search_runs(experiments(store), f"tags.`framelight.job_id` = '{job.job_id}'")
    return run


def experiments(store):
    return [one.experiment_id for one in client(store).search_experiments()]


def logged(store):
    return client(store).search_logged_models(experiments(store))


@pytest.fixture
def best(store):
    """Two runs of which the first is clearly ahead; its records."""
    ahead, behind = keep(store, "best", 0.7), keep(store, "worse", 0.4)
    track(store, [*ahead, *behind])
    return ahead


@pytest.mark.parametrize("name", ["C# 100%25", "what now?"])
def test_models_of_a_store_of_any_name_are_found_again(store, tmp_path, name):
    place = Store(store.rename(tmp_path / name))
    tracker = open_tracker(place)
    run = tracker.log_record(record(), None, tracker.start_study("small", "s"))

    def prepare(folder, model):
        (folder / FOLDER).mkdir(parents=True)
        (folder / FOLDER / FILE).write_bytes(b"model")

    registry = Registry(locate(place))
    tags = {JOB_TAG: record().job_id, SHA256: hashlib.sha256(b"model").hexdigest()}
    version, new = registry.register("model", run, tags, prepare)
    assert new and registry.register("model", run, tags, prepare) == (version, False)
    assert registry.folder(version).is_relative_to(tmp_path / name)
    (tmp_path / "fetched").mkdir()
    registry.fetch(version, tmp_path / "fetched")
    assert (tmp_path / "fetched" / FOLDER / FILE).read_bytes() == b"model"
    assert {path.name for path in tmp_path.iterdir()} == {name, "fetched"}


def test_model_is_logged_to_its_run(store, best, tmp_path):
    said = log_exported(Store(store), best[1], write_export(tmp_path / "out"))
    assert said == [
        f"logged to MLflow as models:/{NAME}/1, at {locate(Store(store)).uri}",
        f"models:/{NAME}@champion is now this version: run best is significantly better than the rest of its "
        "leaderboard",
    ]
    [version] = versions(store)
    run = run_of(store, best[1])
    assert version.run_id == run.info.run_id and version.tags["framelight.job_id"] == "best-s1"
    assert (version.tags["framelight.run_id"], version.tags["framelight.metric"]) == ("best", "P_EXPR")
    assert float(version.tags["framelight.value"]) == pytest.approx(best[1].metrics["P_EXPR"], abs=1e-6)
    assert version.tags["framelight.protocol"] == "held-out" and champion(store) == 1
    [output] = run.outputs.model_outputs
    model = client(store).get_logged_model(output.model_id)
    assert model.status == "READY" and model.source_run_id == run.info.run_id
    kept = Path(version.source)
    assert kept.is_relative_to(store / "artifacts" / "mlflow") and sorted(
        path.name for path in (kept / FOLDER).iterdir()
    ) == sorted([CARD, EXAMPLE, FILE])
    assert not [path for path in kept.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert "int8" not in (kept / FOLDER / CARD).read_text(), "the card speaks of the file that is there"


ALONE = """
import sys
for name in ("harness", "backbones", "torch", "cv2"):
    sys.modules[name] = None
import mlflow, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[1])
[crops] = model.metadata.signature.inputs.inputs
assert crops.shape == (-1, -1, -1, 3) and crops.type == np.uint8, crops
assert {port.name: port.shape for port in model.metadata.signature.outputs.inputs} == {
    "outputs": (-1, 8), "expression": (-1, 8)}
example = model.input_example
assert example.shape == (1, 64, 64, 3) and example.std() > 20, "a face, no noise and no blank"
given = model.predict(np.load(sys.argv[2]))
np.savez(sys.argv[3], **given, example=model.predict(example)["outputs"])
"""


def test_mlflow_loads_it_without_framelight_and_without_torch(store, best, tmp_path):
    out = write_export(tmp_path / "out")
    log_exported(Store(store), best[0], out)
    np.save(tmp_path / "crops.npy", some_crops())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, f"models:/{NAME}@champion", tmp_path / "crops.npy", tmp_path / "given.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "MLFLOW_TRACKING_URI": locate(Store(store)).uri},
    )
    assert done.returncode == 0, done.stderr
    given = np.load(tmp_path / "given.npz")
    assert np.array_equal(given["outputs"], outputs_of(out, some_crops()))
    assert np.array_equal(given["expression"], given["outputs"]) and given["example"].shape == (1, 8)


def test_same_file_creates_no_second_version(store, best, tmp_path):
    out = write_export(tmp_path / "out")
    first = log_exported(Store(store), best[0], out)
    again = log_exported(Store(store), best[0], out)
    assert again == [first[0].replace("logged to", "already in"), f"models:/{NAME}@champion is already this version"]
    assert len(versions(store)) == 1 and len(logged(store)) == 1
    said = log_exported(Store(store), best[0], write_export(tmp_path / "other", seed=1))
    assert said[0].startswith(f"logged to MLflow as models:/{NAME}/2") and said[1].endswith("(previously version 1)")
    assert len(versions(store)) == 2 and champion(store) == 2


def test_non_leading_run_is_registered_without_champion(store, best, tmp_path):
    from harness.tracking import tracked_records

    worse = next(job for job in tracked_records(Store(store)) if job.group_id == "worse")
    said = log_exported(Store(store), worse, write_export(tmp_path / "out", seed=1))
    assert (
        said[1].startswith("not the new champion: the best run of its leaderboard is run best")
        and champion(store) is None
    )
    log_exported(Store(store), best[0], write_export(tmp_path / "best"))
    said = log_exported(Store(store), worse, tmp_path / "out")
    assert said[1].endswith(f"models:/{NAME}@champion stays version 2") and champion(store) == 2


def test_champion_moves_to_new_leader(store, best, tmp_path):
    log_exported(Store(store), best[0], write_export(tmp_path / "best"))
    newer = keep(store, "newer", 0.9)
    track(store, newer)
    said = log_exported(Store(store), best[0], tmp_path / "best")
    assert "the best run of its leaderboard is run newer" in said[1] and "stays this version" in said[1]
    log_exported(Store(store), newer[0], write_export(tmp_path / "newer", seed=1))
    assert champion(store) == 2 and versions(store)[1].tags["framelight.run_id"] == "newer"


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.tracking.record_json import read
from harness.tracking.mlflow_api import MlflowClient
setattr(MlflowClient, sys.argv[1], lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
from harness.export.registry.log_model import log_exported
from harness.utils.store import Store
store, out, job = map(Path, sys.argv[2:])
log_exported(Store(store), read(job), out)
"""


@pytest.mark.parametrize(
    "at",
    [
        "log_model_artifacts",
        *(
            pytest.param(call, marks=pytest.mark.slow)
            for call in ("finalize_logged_model", "create_model_version", "set_registered_model_alias")
        ),
    ],
)
def test_next_export_completes_a_killed_one(store, best, tmp_path, at):
    from harness.tracking.record_json import write

    out = write_export(tmp_path / "out")
    write(tmp_path / "record.json", best[0])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, at, store, out, tmp_path / "record.json"], timeout=600, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    log_exported(Store(store), best[0], out)
    [version], [model] = versions(store), logged(store)
    assert model.status == "READY" and champion(store) == 1
    assert [path.name for path in (store / "artifacts/mlflow/models").iterdir()] == [model.model_id]
    assert (Path(version.source) / FOLDER / FILE).read_bytes() == (out / FILE).read_bytes()


def test_signature_has_fixed_input_size(store, best, tmp_path):
    import mlflow

    log_exported(Store(store), best[0], write_export(tmp_path / "out", side=40))
    [version] = versions(store)
    model = mlflow.pyfunc.load_model(version.source)
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 40, 40, 3)
    assert model.input_example.shape == (1, 40, 40, 3) and model.predict(model.input_example)["outputs"].shape == (1, 8)
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        model.predict(some_crops(side=41))


def test_unloggable_model_warns(store, best, tmp_path):
    out = write_export(tmp_path / "out")
    assert log_exported(Store(store), record(group="unknown"), out) == [
        f"not logged to MLflow: job unknown-s0 is not tracked at {locate(Store(store)).uri}"
    ]
    (out / FILE).unlink()
    [said] = log_exported(Store(store), best[0], out)
    assert said.startswith("not logged to MLflow: the float32 ONNX file") and str(out / FILE) in said


@pytest.mark.parametrize(
    "dataset, name",
    [
        ("rendered", NAME),
        ("Aff-Wild2", "framelight-expr-Aff-Wild2"),
        ("my faces: a/b", "framelight-expr-my-faces-a-b"),
        ("://", "framelight-expr-data"),
        ("Gesichter_1.2", "framelight-expr-Gesichter_1.2"),
    ],
)
def test_model_names_are_valid_in_uris(dataset, name):
    assert model_name(record(dataset=dataset)) == name
