"""ONNX models as backbones: outputs, entries and verification."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import backbones
from backbones import BackboneError, onnx_network
from backbones.cost import cost
from backbones.importing.onnx_files import import_onnx
from backbones.regular_files import hash_file
from harness.cli import main
from harness.data.image_decoding import decode_image
from harness.features.extraction import extract
from harness.features.store import FeatureStore
from harness.utils.store import Store
from tests.helpers.crop_folders import contents, write_crops
from tests.helpers.onnx_imports import HSEMOTION
from tests.helpers.onnx_models import SIZE, Both, export, pooled, timm_network


@pytest.fixture(scope="module")
def network():
    return timm_network()


@pytest.fixture(scope="module")
def program(network):
    """Both outputs, with a dynamic batch size."""
    return export(Both(network), 2, ["embedding", "scores"], dynamic=True)


@pytest.fixture(scope="module")
def both(program, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "both.onnx"
    program.save(path, external_data=False)
    return path


@pytest.fixture(scope="module")
def scores_only(network, tmp_path_factory):
    """As HSEmotion's files are: `input`, and an `output` that a Gemm makes. One picture at a time."""
    path = tmp_path_factory.mktemp("onnx") / "scores.onnx"
    export(network, 1, ["output"], dynamic=False).save(path, external_data=False)
    return path


@pytest.fixture
def entries(both, tmp_path):
    """A folder of entries with one, `mine`."""
    import_onnx(both, "mine", tmp_path / "backbones", HSEMOTION)
    return tmp_path / "backbones"


def assert_same_outputs(backbone, network, count):
    pixels = torch.randn(count, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        for ours, theirs in zip(backbone(pixels), Both(network)(pixels)):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_outputs_match_the_network(entries, network, count):
    assert_same_outputs(backbones.load("mine", entries), network, count)


def test_card_and_log_of_an_import(both, entries, network, tmp_path):
    card = backbones.read_card(entries / "mine")
    assert sorted(path.name for path in (entries / "mine").iterdir()) == ["card.json", "model.onnx"]
    assert (entries / "mine" / "model.onnx").read_bytes() == both.read_bytes()
    assert card["engine"] == "onnxruntime" and card["imported_from"] == "both.onnx"
    assert card["macs"] == cost(network, SIZE).macs
    assert card["file_format"] == "ONNX" and card["import_options"] == {"like": "hsemotion"}
    assert (card["embedding_width"], card["score_width"], card["classes"]) == (96, 8, list(backbones.AFFECTNET))
    assert card["preprocessing"]["input_size"] == SIZE and card["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    # The exporter folds batch norms into convolutions: their scale goes, their shift becomes a bias.
    assert card["parameters"] == pytest.approx(sum(p.numel() for p in network.parameters()), rel=0.01)
    assert card["size_mb"] == pytest.approx(both.stat().st_size / 1e6, abs=1e-3)
    loaded = backbones.load("mine", entries)
    assert backbones.get_info("mine", entries) == loaded.info() and not loaded.is_random
    assert loaded.weights == "checkpoint mine" and loaded.weights_hash == card["file_sha256"]
    assert backbones.describe("mine", entries)["macs"] == card["macs"]


def test_imported_model_is_listed_and_shown(both, tmp_path, capsys):
    store = tmp_path / "store"
    import_onnx(both, "mine", Store(store).backbones, HSEMOTION)
    assert main(["backbones", "--store", str(store)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mine "))
    assert " - " not in line and "imported both.onnx" in line
    assert main(["backbones", "mine", "--store", str(store)]) == 0
    shown = capsys.readouterr().out
    assert "onnxruntime" in shown and "for one crop" in shown and "import options.like" in shown


def test_chosen_outputs_are_reported(both, tmp_path, logged):
    import_onnx(both, "mine", tmp_path, HSEMOTION)
    text = "\n".join(logged)
    assert "embedding: embedding [96]; scores: scores [8]: Anger, Contempt" in text
    assert f"{SIZE} x {SIZE} RGB" in text and "0.485" in text and "probabilities" not in text


def test_input_of_the_classifier_is_the_embedding_of_scores_only_models(scores_only, network, tmp_path, logged):
    import_onnx(scores_only, "mine", tmp_path / "entries", HSEMOTION)
    assert any("outputs scores only, so the input of" in line for line in logged)
    backbone = backbones.load("mine", tmp_path / "entries")
    assert backbone.network.ports.batch == 1  # as it was exported
    assert_same_outputs(backbone, network, 3)
    card = backbones.read_card(tmp_path / "entries" / "mine")
    assert card["file_sha256"] == hash_file(scores_only) != card["weights_hash"]


def test_advice_for_external_tensors_works(program, network, tmp_path):
    program.save(tmp_path / "split.onnx", external_data=True)
    with pytest.raises(BackboneError, match="tensors are stored in split.onnx.data") as error:
        import_onnx(tmp_path / "split.onnx", "mine", tmp_path / "entries", HSEMOTION)
    command = error.value.hint[error.value.hint.index("python -c") :]
    subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=tmp_path, check=True)
    import_onnx(tmp_path / "whole.onnx", "mine", tmp_path / "entries", HSEMOTION)
    assert_same_outputs(backbones.load("mine", tmp_path / "entries"), network, 2)


def test_free_size_is_fixed(both, network, tmp_path):
    model = onnx.load(both)
    for axis, name in ((2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    onnx.save(model, tmp_path / "any.onnx")
    with pytest.raises(BackboneError, match="does not fix the size of its input.*height, width.*--size 224"):
        import_onnx(tmp_path / "any.onnx", "mine", tmp_path / "entries", HSEMOTION)
    import_onnx(tmp_path / "any.onnx", "mine", tmp_path / "entries", replace(HSEMOTION, size=SIZE))
    backbone = backbones.load("mine", tmp_path / "entries")
    assert backbone.spec.input_size == SIZE and backbone.info().macs == cost(network, SIZE).macs
    assert_same_outputs(backbone, network, 2)


def test_extraction_uses_one_thread_per_worker(entries, tmp_path, monkeypatch):
    crops = write_crops(tmp_path / "set", {"a": range(1, 200), "b": [1, 2]})
    threads, opened = torch.get_num_threads(), []
    opening = onnx_network.open_session
    monkeypatch.setattr(onnx_network, "open_session", lambda path, n: opened.append(n) or opening(path, n))
    torch.set_num_threads(2)
    try:
        for workers in (1, 2):
            extract(crops, backbones.load("mine", entries), FeatureStore(tmp_path / f"store{workers}"), threads=workers)
    finally:
        torch.set_num_threads(threads)
    assert opened == [1, 1]
    assert contents(tmp_path / "store1") == contents(tmp_path / "store2")
    entry = extract(crops, backbones.get_info("mine", entries), FeatureStore(tmp_path / "store2"))
    assert entry.widths == {"embeddings": 96, "scores": 8}
    backbone = backbones.load("mine", entries)
    pixels = torch.from_numpy(backbones.prepare(decode_image(crops.sequences["b"].images[1]), backbone.spec))[None]
    expected = backbone(pixels)[0][0].numpy()
    np.testing.assert_allclose(entry.read("b", "embeddings")[0][1], expected, rtol=2e-3, atol=2e-3)


def test_onnx_backbone_cannot_be_trained(entries):
    backbone = backbones.load("mine", entries)
    assert not backbone.trainable and backbones.load("tiny_resnet@random").trainable
    for attempt in (backbone.train, lambda: backbone.set_classes(("yes", "no")), backbone.network.train):
        with pytest.raises(BackboneError, match="'mine' runs through ONNX Runtime.*cannot be trained"):
            attempt()
    assert backbone.score_labels == backbones.AFFECTNET and not backbone.training
    assert backbone(torch.zeros(1, 3, SIZE, SIZE))[1].shape == (1, 8)


def test_onnx_weights_do_not_load_into_another_architecture(entries):
    with pytest.raises(BackboneError, match="runs through ONNX Runtime.*use mine alone"):
        backbones.load("tiny_resnet@mine", entries)


def test_modified_or_missing_model_is_rejected(entries):
    path = entries / "mine" / "model.onnx"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BackboneError, match="was modified"):
        backbones.load("mine", entries)
    path.unlink()
    with pytest.raises(BackboneError, match="no weights at"):
        backbones.load("mine", entries)


@pytest.mark.parametrize(
    "changes, message",
    [({"engine": "tensorrt"}, "engine 'tensorrt'.*upgrade"), ({"ports": {"input": "x"}}, "does not name the outputs")],
)
def test_unsupported_card_is_rejected(entries, changes, message):
    path = entries / "mine" / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(BackboneError, match=message):
        backbones.load("mine", entries)


def test_importing_again_needs_the_same_weights(both, entries, tmp_path):
    before = (entries / "mine" / "card.json").stat().st_mtime_ns
    assert import_onnx(both, "mine", entries, HSEMOTION) == entries / "mine"
    assert (entries / "mine" / "card.json").stat().st_mtime_ns == before
    other = pooled(tmp_path / "other.onnx", {"embedding": 20, "scores": 8})
    with pytest.raises(BackboneError, match="backbone 'mine' already exists"):
        import_onnx(other, "mine", entries, HSEMOTION)
    assert [path.name for path in entries.iterdir()] == ["mine"]


def test_get_info_and_listing_need_neither_torch_nor_runtime(entries):
    script = (
        "import sys, pathlib, backbones; i = backbones.get_info('mine', pathlib.Path(sys.argv[1]));"
        "print(i.macs, 'torch' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, entries],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    macs, *imported = result.stdout.split()
    assert int(macs) > 0 and imported == ["False", "False"]
