"""Every engine reproduces the outputs of torch, for any batch size and from several threads."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from backbones.engines.cuda_engine import CudaEngine
from backbones.engines.parity import engine_difference, random_pixels
from backbones.engines.selection import open_engine

BATCH = 4
openvino = pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason="no OpenVINO"))
ENGINES = ["torch", "torch channels-last", "onnxruntime", openvino]


def expected(backbone, pixels):
    with torch.inference_mode():
        return [output.numpy() for output in backbone(torch.from_numpy(np.ascontiguousarray(pixels)))]


def assert_close(ours, theirs):
    for own, other in zip(ours, theirs, strict=True):
        assert own.dtype == np.float32 and own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4 * np.abs(other).max(initial=0))


@pytest.mark.parametrize("count", [1, 3, BATCH])
@pytest.mark.parametrize("name", ENGINES)
def test_outputs_match_torch(backbone, cache, name, count):
    engine = open_engine(name, backbone, cache, BATCH)
    pixels = random_pixels(backbone.spec.preprocessing, count)
    assert (engine.name, engine.precision, engine.concurrent) == (name, "float32", True)
    assert_close(engine(pixels), expected(backbone, pixels))
    assert_close(engine(np.ascontiguousarray(pixels)), expected(backbone, pixels))


@pytest.mark.parametrize("name", ENGINES)
def test_is_thread_safe(backbone, cache, name):
    engine = open_engine(name, backbone, cache, BATCH)
    pixels = random_pixels(backbone.spec.preprocessing, 6 * BATCH).reshape(6, BATCH, 3, 16, 16)
    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(engine, pixels))
    for batch, ours in zip(pixels, outputs):
        assert_close(ours, expected(backbone, batch))


def test_channels_last_outputs_equal_channels_last_network(backbone, cache, make):
    pixels = random_pixels(backbone.spec.preprocessing, BATCH)
    ours = open_engine("torch channels-last", backbone, cache, BATCH)(pixels)
    other = make().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        theirs = other(torch.from_numpy(pixels))
    assert all(np.array_equal(own, their.numpy()) for own, their in zip(ours, theirs))


@pytest.mark.parametrize("name", ENGINES)
def test_backbone_is_not_modified(backbone, cache, name):
    before = [(tensor.data_ptr(), tensor.stride()) for tensor in backbone.state_dict().values()]
    open_engine(name, backbone, cache, BATCH)(random_pixels(backbone.spec.preprocessing, 1))
    assert [(tensor.data_ptr(), tensor.stride()) for tensor in backbone.state_dict().values()] == before


@pytest.mark.parametrize("name", ENGINES)
def test_network_without_classifier_has_zero_score_columns(make, tmp_path_factory, name):
    bare = make(labels=())
    engine = open_engine(name, bare, tmp_path_factory.getbasetemp() / "bare", 2)
    embeddings, scores = engine(random_pixels(bare.spec.preprocessing, 3))
    assert embeddings.shape == (3, 32) and scores.shape == (3, 0)


@pytest.mark.parametrize("name", ["torch", "torch channels-last", openvino])
def test_bf16_is_close_but_not_equal(backbone, cache, name):
    engine = open_engine(name, backbone, cache, BATCH, "bf16")
    assert engine.precision == "bf16"
    found = engine_difference(engine, backbone)
    assert 0.99 < found.cosine <= 1 and found.of_range < 0.1
    if name != "openvino":  # which computes in float32 on a processor without bf16
        assert not found.is_within_tolerance


@pytest.mark.parametrize("name", ["onnxruntime", openvino])
@pytest.mark.parametrize("count", [1, 5])
def test_imported_onnx_network_runs_unchanged(foreign, tmp_path, name, count):
    pixels = random_pixels(foreign.spec.preprocessing, count)
    assert_close(open_engine(name, foreign, tmp_path, 2)(pixels), expected(foreign, pixels))
    assert not list(tmp_path.glob("onnx-*"))


@pytest.mark.parametrize("precision, least", [("float32", 0.999999), ("bf16", 0.99)])
@pytest.mark.parametrize("count", [1, BATCH, 2 * BATCH + 1])
def test_device_engine_steps(backbone, precision, least, count):
    """Copies and padding on the CPU; the CUDA graph needs a GPU."""
    engine = CudaEngine(backbone, BATCH, precision, device="cpu")
    pixels = random_pixels(backbone.spec.preprocessing, count)
    ours, theirs = engine(pixels), expected(backbone, pixels)
    assert not engine.concurrent and all(own.dtype == np.float32 for own in ours)
    assert engine_difference(engine, backbone).cosine > least
    first = ours[0].copy()
    engine(pixels[::-1].copy())
    np.testing.assert_array_equal(ours[0], first)
    assert [own.shape for own in ours] == [other.shape for other in theirs]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision, least", [("float32", 0.99999), ("bf16", 0.99), ("fp16", 0.999)])
def test_cuda(backbone, cache, precision, least):
    engine = open_engine("cuda", backbone, cache, BATCH, precision)
    for count in (1, BATCH, 2 * BATCH + 1):
        assert engine(random_pixels(backbone.spec.preprocessing, count))[0].shape == (count, 32)
    assert engine_difference(engine, backbone).cosine > least
