"""`mlflow models serve` on the champion returns the outputs of the exported file."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from harness.data.image_decoding import decode_image
from harness.export.registry.download import fetch_model
from harness.export.registry.log_model import log_exported
from harness.tracking import locate
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.exported_runs import outputs_of, some_crops, track, write_export
from tests.helpers.job_statistics import keep
from tests.helpers.mlflow_server import free_port, wait_for

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(name="alone", backbones=("tiny_mobilenet@random",), baselines=False, pictures=False,
                grids=(Grid("expr", ("embeddings",), (HeadConfig("logistic_regression", hidden=0, epochs=2),)),),
                smoothing=SmoothingGrid(largest=3))
"""


@contextmanager
def serving(store, model, folder):
    """The address of a real `mlflow models serve`."""
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "models",
            "serve",
            "--model-uri",
            model,
            "--env-manager",
            "local",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MLFLOW_TRACKING_URI": locate(Store(store)).uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def asked(address, crops, key="instances"):
    request = urllib.request.Request(
        address, json.dumps({key: np.asarray(crops).tolist()}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return {name: np.array(value) for name, value in json.load(answer)["predictions"].items()}


@pytest.mark.slow
def test_champion_answers_over_http(store, tmp_path):
    runs = keep(store, "best", 0.7)
    track(store, runs)
    out = write_export(tmp_path / "out")
    log_exported(Store(store), runs[0], out)
    with serving(store, "models:/framelight-expr-rendered@champion", tmp_path) as address:
        for crops, key in ((some_crops(), "instances"), (some_crops(1, 33), "inputs")):
            answer = asked(address, crops, key)
            assert set(answer) == {"outputs", "expression"} and answer["outputs"].shape == (len(crops), 8)
            assert np.allclose(answer["outputs"], outputs_of(out, crops), atol=1e-7)
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(address, np.zeros((1, 20, 20)))
        assert refused.value.code == 400 and "shape" in refused.value.read().decode()


@pytest.mark.slow
def test_served_model_predicts_like_the_run(small_set, tmp_path):
    store, out = tmp_path / "store", tmp_path / "out"
    for arguments in (
        ["run", small_run.write_recipe(tmp_path, RECIPE), "--data", small_set],
        ["export", "best:expr", "--precision", "float32", "--out", out],
    ):
        done = small_run.framelight(*arguments, "--store", store)
        assert done.returncode == 0, done.stderr
    model = f"models:/framelight-expr-{small_set.name}@champion"
    assert f"{model} is now this version" in done.stderr
    [kept] = (store / "artifacts" / "jobs").glob("*/reported.npz")
    predicted = np.load(kept)
    name, frames = str(predicted["sequences"][0]), predicted["frames"][:4]
    crops = np.stack([decode_image(small_set / "cropped_aligned" / name / f"{frame:05}.jpg") for frame in frames])
    with serving(store, model, tmp_path) as address:
        answer = asked(address, crops)
    assert np.allclose(answer["outputs"], outputs_of(fetch_model(model, Store(store)), crops), atol=1e-7)
    assert np.allclose(answer["outputs"], predicted["outputs"][:4], atol=1e-4)
