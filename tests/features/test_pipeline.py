"""Concurrent engines are called by every worker, others by one thread."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import backbones
from backbones import BackboneError
from backbones.engines.cuda_engine import CudaEngine
from backbones.engines.torch_engine import TorchEngine
from harness.features.pipeline import DEVICE_ENGINE, ExtractionPipeline, batch_size, engine_batch_size
from tests.helpers.crop_folders import write_crops


@dataclass
class Work:
    paths: list[Path]


class Watched:
    """An engine that records its calling threads and their maximum number."""

    def __init__(self, engine):
        self.engine, self.name, self.concurrent, self.precision = engine, engine.name, engine.concurrent, "float32"
        self.threads, self.sizes, self.inside, self.most = set(), [], 0, 0

    def __call__(self, pixels):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.threads.add(threading.get_ident())
        self.sizes.append(len(pixels))
        try:
            return self.engine(pixels)
        finally:
            self.inside -= 1


@pytest.fixture(scope="module")
def tiny():
    return backbones.load("tiny_mobilenet@random")


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Three pieces of work: many crops, none, and some that cannot be decoded."""
    root = tmp_path_factory.mktemp("crops") / "set"
    sets = write_crops(root, {"a": range(1, 301), "b": [], "c": range(1, 6)}, size=112).sequences
    broken = list(sets["c"].images)
    broken[1].write_bytes(b"")
    broken[3].write_text("no image")
    return [Work(list(sets["a"].images)), Work([]), Work(broken)]


def run(engine, backbone, works, workers=3):
    with ExtractionPipeline(engine, backbone, workers) as pipeline:
        return list(pipeline.batches(works))


def joined(batches, part):
    return np.concatenate([batch.arrays[part] for _, batch in batches])


def test_batches_come_in_order_with_their_rows_and_faults(tiny, works):
    batches = run(TorchEngine(tiny, True), tiny, works)
    size = batch_size(tiny.spec.preprocessing)
    assert [batch.start for work, batch in batches if work is works[0]] == list(range(0, 300, size))
    empty = next(batch for work, batch in batches if work is works[1])
    assert (empty.start, empty.stop) == (0, 0) and empty.arrays["embeddings"].shape == (0, 128)
    last = batches[-1][1]
    assert sorted(last.faults) == [1, 3] and "empty" in last.faults[1] and len(last.arrays["scores"]) == 3


def test_device_engine_gets_larger_batches_from_one_thread(tiny, works):
    size = engine_batch_size(DEVICE_ENGINE, tiny.spec.preprocessing)
    device = Watched(CudaEngine(tiny, size, device="cpu"))
    fed = run(device, tiny, works)
    assert len(device.threads) == 1 and device.most == 1 and device.sizes == [256, 44, 3]
    ours = run(TorchEngine(tiny, True), tiny, works)
    for part in ("embeddings", "scores"):
        np.testing.assert_allclose(joined(fed, part), joined(ours, part), rtol=1e-3, atol=1e-4)


def test_concurrent_engine_is_called_by_workers(tiny, works):
    engine = Watched(TorchEngine(tiny, True))
    run(engine, tiny, works)
    assert len(engine.threads) > 1 and max(engine.sizes) == batch_size(tiny.spec.preprocessing)


def test_buffers_are_reused(tiny, works):
    with ExtractionPipeline(TorchEngine(tiny, True), tiny, 2) as pipeline:
        list(pipeline.batches(works * 3))
        assert 1 <= pipeline.memories.qsize() <= 2


@pytest.mark.parametrize("kind", ["concurrent", "device"])
def test_engine_error_is_raised_and_threads_restored(tiny, works, kind):
    before = torch.get_num_threads()
    engine = TorchEngine(tiny, True) if kind == "concurrent" else CudaEngine(tiny, 64, device="cpu")

    def refuse(pixels):
        raise BackboneError("out of memory", "use smaller batches")

    engine.backbone = refuse
    with pytest.raises(BackboneError, match="smaller batches"):
        run(engine, tiny, works)
    assert torch.get_num_threads() == before
