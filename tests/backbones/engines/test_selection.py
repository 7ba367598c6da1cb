"""Selection, benchmark and cache of engines, and errors of engines that cannot be used."""

import json
import shutil
from importlib.util import find_spec

import pytest
import torch

from backbones import BackboneError
from backbones.engines.fingerprint import backbone_fingerprint
from backbones.engines.parity import engine_difference
from backbones.engines.registry import ENGINES
from backbones.engines.selection import available_engines, open_engine, select_engine

BATCH, WORKERS = 4, 2
LITTLE, SOME = 8_000_000, 10_000_000
"""Crops of the small backbone that are not worth an export, and that are, but not worth OpenVINO's."""


@pytest.fixture
def own_cache(cache, tmp_path):
    """A copy of the shared fixture that tests may modify."""
    return shutil.copytree(cache, tmp_path / "cache")


def export_of(backbone, cache):
    return cache / f"onnx-{backbone_fingerprint(backbone)}" / "model.onnx"


def rewrite(path, change):
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def test_unknown_engine_raises(backbone, tmp_path):
    with pytest.raises(BackboneError, match="unknown engine 'onnxrutime'; did you mean onnxruntime"):
        open_engine("onnxrutime", backbone, tmp_path, BATCH)


@pytest.mark.parametrize(
    "name, precision, message",
    [
        ("torch", "bf17", r"unknown precision 'bf17'; did you mean bf16"),
        ("onnxruntime", "bf16", r"onnxruntime does not support bf16; use torch channels-last or"),
        ("torch", "fp16", r"torch does not support fp16; (use|no available engine) "),
    ],
)
def test_unsupported_precision_raises(backbone, tmp_path, name, precision, message):
    with pytest.raises(BackboneError, match=message):
        open_engine(name, backbone, tmp_path, BATCH, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_engine_names_its_requirements(backbone, tmp_path):
    with pytest.raises(BackboneError, match="cuda is not available here; it needs an NVIDIA GPU"):
        open_engine("cuda", backbone, tmp_path, BATCH)
    with pytest.raises(BackboneError, match="does not support fp16|cuda is not available"):
        select_engine(backbone, tmp_path, BATCH, WORKERS, SOME, precision="fp16")


@pytest.mark.skipif(torch.cuda.is_available() or not torch.version.cuda, reason="there is a GPU, or no CUDA")
def test_unusable_gpu_falls_back_to_another_engine(backbone, tmp_path):
    """What torch says of a GPU without a driver, or whose memory others fill, is no traceback."""
    with pytest.raises(BackboneError, match="small cannot be prepared for cuda .*another engine with --engine"):
        ENGINES["cuda"].open(backbone, tmp_path, BATCH, "float32")


@pytest.mark.skipif(bool(find_spec("openvino")), reason="OpenVINO is installed")
def test_missing_openvino_names_its_package(backbone, tmp_path):
    with pytest.raises(BackboneError, match=r"pip install 'framelight\[openvino\]'"):
        open_engine("openvino", backbone, tmp_path, BATCH)


def test_engines_without_preparation_come_first(backbone, foreign):
    assert available_engines(backbone)[:2] == ("torch channels-last", "onnxruntime")
    assert "torch" in available_engines(backbone, "bf16") and "onnxruntime" not in available_engines(backbone, "bf16")
    assert available_engines(foreign)[0] == "onnxruntime" and not any(
        "torch" in name for name in available_engines(foreign)
    )


def test_imported_onnx_network_does_not_run_in_torch(foreign, tmp_path):
    with pytest.raises(
        BackboneError, match="torch cannot run mine, which was imported from an ONNX file; use onnxruntime"
    ):
        open_engine("torch", foreign, tmp_path, BATCH)


@pytest.mark.parametrize("crops", [0, 1, LITTLE])
def test_small_extraction_skips_the_benchmark(backbone, tmp_path, crops, logged):
    assert select_engine(backbone, tmp_path / "cache", BATCH, WORKERS, crops) == "torch channels-last"
    assert not logged and not (tmp_path / "cache").exists()


def test_imported_onnx_network_runs_in_onnx_runtime(foreign, tmp_path):
    assert select_engine(foreign, tmp_path, BATCH, WORKERS, 10**9) == "onnxruntime"


def test_benchmark_result_is_cached_and_used(backbone, own_cache, logged):
    chosen = select_engine(backbone, own_cache, BATCH, WORKERS, SOME)
    [(key, found)] = json.loads((own_cache / "choices.json").read_text()).items()
    assert set(found) == {"torch channels-last", "onnxruntime"} and min(found.values()) > 0
    assert found[chosen] >= 0.97 * max(found.values())
    assert len(logged) == 1 and "crops/s" in logged[0]
    assert "batch 4" in key and "2 workers" in key and torch.__version__.split("+")[0] in key

    for rates, expected in [
        ((100, 50), "torch channels-last"),
        ((100, 97.5), "onnxruntime"),
        ((100, 96.5), "torch channels-last"),
        ((0, 1), "onnxruntime"),
    ]:
        kept = dict(zip(("torch channels-last", "onnxruntime"), rates))
        rewrite(own_cache / "choices.json", lambda facts, kept=kept: facts.update({key: kept}))
        assert select_engine(backbone, own_cache, BATCH, WORKERS, SOME) == expected
    assert select_engine(backbone, own_cache, BATCH, WORKERS, LITTLE) == "torch channels-last"
    assert len(logged) == 1


def test_cached_choice_of_a_missing_engine_is_replaced(backbone, own_cache, logged):
    """Stores of earlier versions remember `torch compiled`."""
    select_engine(backbone, own_cache, BATCH, WORKERS, SOME)
    [key] = json.loads((own_cache / "choices.json").read_text())
    for rates, expected in [((100, 50), "torch channels-last"), ((50, 100), "onnxruntime")]:
        kept = {"torch compiled": 1000.0, **dict(zip(("torch channels-last", "onnxruntime"), rates))}
        rewrite(own_cache / "choices.json", lambda facts, kept=kept: facts.update({key: kept}))
        assert select_engine(backbone, own_cache, BATCH, WORKERS, SOME) == expected
    logged.clear()
    rewrite(own_cache / "choices.json", lambda facts: facts.update({key: {"torch compiled": 1000.0}}))
    select_engine(backbone, own_cache, BATCH, WORKERS, SOME)
    assert len(logged) == 1 and "onnxruntime" in logged[0] and "torch compiled" not in logged[0]


def test_outputs_are_compared_with_torch_once(backbone, cache):
    [(key, found)] = json.loads((cache / "parity.json").read_text()).items()
    assert key.startswith("onnxruntime, ") and found["of_range"] <= 1e-3 and found["cosine"] > 0.99999
    before = (cache / "parity.json").stat().st_mtime_ns
    open_engine("onnxruntime", backbone, cache, BATCH)
    assert (cache / "parity.json").stat().st_mtime_ns == before


def test_damaged_export_is_rebuilt(backbone, own_cache):
    path = export_of(backbone, own_cache)
    path.write_bytes(path.read_bytes()[:-100])
    assert engine_difference(open_engine("onnxruntime", backbone, own_cache, BATCH), backbone).is_within_tolerance
    assert json.loads(path.with_name("card.json").read_text())["backbone"] == backbone_fingerprint(backbone)


def test_engine_with_different_outputs_is_rejected(backbone, make, own_cache, logged):
    """An export of other weights, with a card that says it is sound."""
    other = make(seed=1)
    open_engine("onnxruntime", other, own_cache, BATCH)
    theirs, ours = export_of(other, own_cache), export_of(backbone, own_cache)
    shutil.copy(theirs, ours)
    digest = json.loads(theirs.with_name("card.json").read_text())["sha256"]
    rewrite(ours.with_name("card.json"), lambda card: card.update(sha256=digest))
    with pytest.raises(BackboneError, match="does not reproduce the features of small.*use another engine"):
        open_engine("onnxruntime", backbone, own_cache, BATCH)
    for _ in range(2):  # what keeps it from being used may go away, and is not forgotten until it does
        assert select_engine(backbone, own_cache, BATCH, WORKERS, SOME) == "torch channels-last"
    assert logged[0] == logged[2] and logged[0].startswith("engine onnxruntime is skipped: ")
    ours.unlink()
    select_engine(backbone, own_cache, BATCH, WORKERS, SOME)
    assert len(logged) == 5 and "onnxruntime" in logged[4]


def test_unwritable_cache_raises(backbone, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackboneError, match="cannot write .*file"):
        open_engine("onnxruntime", backbone, tmp_path / "file", BATCH)
