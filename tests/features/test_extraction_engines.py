"""Engine selection in feature extraction, and features in reduced precision."""

import json

import numpy as np
import pytest

import backbones
from backbones import BackboneError
from harness.cli import main
from harness.features.engine_choice import ENGINE_FILE, EngineSelector
from harness.features.extraction import extract
from harness.features.store import FeatureStore
from tests.helpers.crop_folders import contents, write_crops
from tests.helpers.logs import captured_logs


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp("data") / "set", {"a": range(1, 40), "b": [1, 2]})


@pytest.fixture(scope="module")
def tiny():
    return backbones.load("tiny_mobilenet@random")


@pytest.fixture(scope="module")
def plain(crops, tiny, tmp_path_factory):
    return extract(crops, tiny, FeatureStore(tmp_path_factory.mktemp("plain")), "float32")


def recorded(entry):
    return json.loads((entry.path / "entry.json").read_text())["engine"]


def extracted(crops, tiny, folder, note=None, **how):
    """The entry and the log; `note` is the metadata of a process that was killed before its first features."""
    store = FeatureStore(folder / "features")
    computing = EngineSelector(folder / "engines", **how)
    if note is not None:
        key = store.key(tiny, "x", "float32", computing.compute)
        (store.root / key).mkdir(parents=True)
        (store.root / key / ENGINE_FILE).write_text(note if isinstance(note, str) else json.dumps(note))
    with captured_logs() as messages:
        return extract(crops, tiny, store, "float32", images="x", computing=computing), messages


def same(one, other, part="embeddings", **near):
    np.testing.assert_allclose(one.read("a", part)[0], other.read("a", part)[0], **near)


def test_small_extraction_uses_torch(crops, tiny, plain, tmp_path):
    entry, said = extracted(crops, tiny, tmp_path)
    assert recorded(entry) == {"name": "torch channels-last", "precision": "float32"} and said == []
    assert not (tmp_path / "engines").exists() and entry.compute == "float32"
    same(entry, plain, rtol=0, atol=0)


def test_requested_engine_computes_the_same_features(crops, tiny, plain, tmp_path):
    entry, _ = extracted(crops, tiny, tmp_path, name="onnxruntime")
    assert recorded(entry)["name"] == "onnxruntime"
    for part in ("embeddings", "scores"):
        same(entry, plain, part, rtol=0, atol=1e-3 * np.ptp(plain.read("a", part)[0]))


def test_extraction_continues_with_the_same_engine(crops, tiny, tmp_path):
    begun = {"name": "torch", "precision": "float32"}
    entry, said = extracted(crops, tiny, tmp_path, begun)
    assert recorded(entry) == begun and said == []
    entry, said = extracted(crops, tiny, tmp_path / "other", begun, name="torch channels-last")
    assert recorded(entry) == begun and "resuming the extraction with torch, the engine" in said[0]


def test_requested_engine_is_ignored_for_cached_features(crops, tiny, tmp_path):
    extracted(crops, tiny, tmp_path)
    for name, words in (
        ("torch channels-last", []),
        ("torch", ["reusing cached features, computed by torch channels-last; engine torch is not used"]),
    ):
        entry, said = extracted(crops, tiny, tmp_path, name=name)
        assert said == words and entry.engine == "torch channels-last"
    with pytest.raises(BackboneError, match="unknown engine 'abacus'"):
        extracted(crops, tiny, tmp_path, name="abacus")


@pytest.mark.parametrize("name", ["abacus", "torch compiled"])
def test_missing_engine_is_replaced_with_a_message(crops, tiny, plain, tmp_path, name):
    begun = {"name": name, "precision": "float32"}
    entry, said = extracted(crops, tiny, tmp_path, begun)
    assert recorded(entry) == {"name": "torch channels-last", "precision": "float32", "begun_with": begun}
    assert said[0].startswith(f"warning: the extraction was started with engine {name}")
    same(entry, plain, rtol=0, atol=0)


def test_features_of_missing_engine_are_reused(crops, tiny, tmp_path):
    """Stores of earlier versions have features by `torch compiled`."""
    entry, _ = extracted(crops, tiny, tmp_path)
    facts = json.loads((entry.path / "entry.json").read_text())
    facts["engine"]["name"] = "torch compiled"
    (entry.path / "entry.json").write_text(json.dumps(facts))
    again, said = extracted(crops, tiny, tmp_path)
    assert again.key == entry.key and again.engine == "torch compiled" and said == []
    same(again, entry, rtol=0, atol=0)


@pytest.mark.parametrize("note", ["", "[]", '{"name": 3, "precision": "float32"}', '{"precision": "float32"}', "nul"])
def test_damaged_cache_is_rewritten(crops, tiny, tmp_path, note):
    entry, _ = extracted(crops, tiny, tmp_path, note)
    assert (
        recorded(entry)["name"] == json.loads((entry.path / ENGINE_FILE).read_text())["name"] == "torch channels-last"
    )


def test_reduced_precision_is_another_entry_with_its_difference(crops, tiny, plain, tmp_path):
    entry, said = extracted(crops, tiny, tmp_path, name="torch", compute="bf16")
    whole, _ = extracted(crops, tiny, tmp_path)
    assert entry.key != whole.key and FeatureStore(entry.path.parent).entry(entry.key).compute == "bf16"
    assert "bf16 with torch, compared with float32: largest difference" in said[0] and len(said) == 1
    assert 0 < recorded(entry)["difference"]["of_range"] < 0.1
    values, exact = (np.asarray(one.read("a", "embeddings")[0], np.float64) for one in (entry, plain))
    cosines = (values * exact).sum(1) / np.linalg.norm(values, axis=1) / np.linalg.norm(exact, axis=1)
    assert (values != exact).any() and cosines.min() > 0.99


@pytest.mark.parametrize(
    "how, message",
    [
        ({"name": "onnxruntim"}, "unknown engine 'onnxruntim'; did you mean onnx"),
        ({"name": "onnxruntime", "compute": "bf16"}, "does not support bf16; use"),
        ({"compute": "bf61"}, "unknown precision 'bf61'"),
    ],
)
def test_unavailable_precision_suggests_alternatives(crops, tiny, tmp_path, how, message):
    with pytest.raises(BackboneError, match=message):
        extracted(crops, tiny, tmp_path, **how)
    assert not [path for path in contents(tmp_path) if path.endswith("npy")]


def test_command_prints_the_difference_and_refuses_unknown_engines(small_set, tmp_path, capsys):
    arguments = ["extract", "--data", str(small_set), "--backbone", "tiny_mobilenet@random", "--store", str(tmp_path)]
    assert main([*arguments, "--engine", "torhc"]) == 2
    assert "did you mean torch" in capsys.readouterr().err
    assert main([*arguments, "--compute", "bf16", "--engine", "torch channels-last"]) == 0
    assert "in bf16 with torch channels-last, compared with float32" in capsys.readouterr().err
