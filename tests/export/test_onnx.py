"""ONNX files reproduce torch on the same crops."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import backbones
from backbones.resizing import resize_batch
from harness.export.formats import format_named, require_writer
from harness.export.network import ExportNetwork, torch_module, with_random_head
from harness.export.onnx import FORMAT
from harness.metrics.tasks import TASKS
from harness.utils.errors import InputError
from tests.helpers.onnx_models import pooled

HOME = Path(backbones.__file__).parents[1]
NONE = np.zeros((0, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A linear head for the three outputs of MTL on a small backbone."""
    made = with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["mtl"])
    return ExportNetwork(made.backbone, made.heads, made.task, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def crops():
    patches = np.random.default_rng(0).integers(0, 256, (40, 14, 14, 3), dtype=np.uint8)
    return patches.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def expected(network, crops):
    """Outputs and embedding by torch, of crops that Pillow resized."""
    resized = resize_batch(list(crops), network.backbone.spec.preprocessing)
    with torch.no_grad():
        return [array.numpy() for array in torch_module(network, embedding=True)(torch.from_numpy(resized))]


def test_outputs_match_torch_and_are_named(network, crops, expected, tmp_path):
    model = FORMAT.open(FORMAT.write(network, tmp_path, "float32", NONE, embedding=True))
    found = model(crops)
    assert list(found) == ["outputs", "valence_arousal", "expression", "action_units", "embedding"]
    np.testing.assert_allclose(found["outputs"], expected[0], atol=2e-6)
    np.testing.assert_allclose(found["embedding"], expected[1], atol=1e-5 * np.ptp(expected[1]))
    np.testing.assert_array_equal(
        found["outputs"], np.hstack([found[name] for name in ("valence_arousal", "expression", "action_units")])
    )
    np.testing.assert_allclose(found["expression"].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(model(crops[:1])["outputs"].shape, (1, 22))


def test_export_without_head_returns_embedding(network, crops, expected, tmp_path):
    bare = ExportNetwork(network.backbone, engines=network.engines)
    found = FORMAT.open(FORMAT.write(bare, tmp_path, "float32", NONE))(crops)
    assert list(found) == ["embedding"]
    np.testing.assert_allclose(found["embedding"], expected[1], atol=1e-5 * np.ptp(expected[1]))
    assert bare.cost.parameters < network.cost.parameters and bare.cost.macs < network.cost.macs


def test_reduced_precision_files_are_smaller_and_close(network, crops, expected, tmp_path):
    resized = resize_batch(list(crops), network.backbone.spec.preprocessing)
    size, off = {}, {}
    for precision in FORMAT.precisions:
        path = FORMAT.write(network, tmp_path, precision, resized)
        size[precision] = path.stat().st_size
        off[precision] = np.abs(FORMAT.open(path)(crops)["outputs"] - expected[0]).max()
    assert size["float16"] < 0.75 * size["float32"] and size["int8"] < 0.75 * size["float32"]
    assert off["float32"] < 2e-6 and off["float16"] < 2e-3 and 0 < off["int8"] < 0.1


def test_imported_onnx_backbone_is_exported(tmp_path):
    backbones.import_file(
        pooled(tmp_path / "in" / "mean.onnx", {"features": 4, "logits": 8}),
        "mean",
        tmp_path / "store",
        options=backbones.ImportOptions(like="hsemotion"),
    )
    backbone = backbones.load("mean", tmp_path / "store")
    made = with_random_head(backbone, TASKS["va"])
    crop = np.random.default_rng(0).integers(0, 256, (3, made.size, made.size, 3), dtype=np.uint8)
    found = FORMAT.open(FORMAT.write(made, tmp_path, "float32", NONE, embedding=True))(crop)
    assert found["outputs"].shape == (3, 2) and found["embedding"].shape == (3, 4)
    with pytest.raises(InputError, match="was imported as an ONNX file.*onnx or openvino"):
        torch_module(made)


def test_unknown_formats_and_unreadable_files_raise(tmp_path):
    with pytest.raises(InputError, match="did you mean onnx"):
        format_named("onxx")
    assert require_writer("onnx") is FORMAT
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(backbones.BackboneError, match="is not a complete ONNX file"):
        FORMAT.open(tmp_path / "model.onnx")


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("harness.export.onnx.find_spec", lambda name: name != "onnx")
    with pytest.raises(InputError, match="pip install onnx"):
        require_writer("onnx")


TWO_FOLDERS = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import backbones
from backbones.engines.onnx_engine import get_or_export_onnx
from harness.export.formats import format_named
from harness.export.network import with_random_head
from harness.metrics.tasks import TASKS

out, checkout = Path(sys.argv[1]), sys.argv[2]
assert backbones.__file__.startswith(checkout), backbones.__file__
network = replace(with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["mtl"]), engines=out / "engines")
crops = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
out.mkdir()
for precision in ("float32", "float16", "int8"):
    format_named("onnx").write(network, out, precision, crops, embedding=True)
(out / "engine.onnx").write_bytes(get_or_export_onnx(network.backbone, network.engines).path.read_bytes())
"""


@pytest.mark.slow
def test_exports_of_two_checkouts_are_equal_and_name_no_folder(tmp_path):
    files = {}
    for name in ("first", "second"):
        checkout = tmp_path / name
        for package in ("backbones", "harness"):
            shutil.copytree(HOME / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(
            [sys.executable, "-P", "-c", TWO_FOLDERS, tmp_path / f"{name}-out", checkout],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            check=True,
        )
        files[name] = {path.name: path.read_bytes() for path in (tmp_path / f"{name}-out").glob("*.onnx")}
    assert len(files["first"]) == 4
    for name, content in files["first"].items():
        assert content == files["second"][name], name
        for word in (bytes(tmp_path), b"pkg.torch", b"site-packages"):
            assert word not in content, (name, word)
