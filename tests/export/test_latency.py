"""Latency and memory of a real file, measured in separate processes."""

import subprocess
import sys

import numpy as np
import pytest

import backbones
from backbones.processors import available_processors
from harness.export.formats import FORMATS, format_named
from harness.export.latency import FEWEST_CALLS, WARM_CALLS, measure_cost, time_calls
from harness.export.network import with_random_head
from harness.metrics.tasks import TASKS
from harness.utils.errors import FramelightError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    network = with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["expr"])
    crops = np.zeros((0, 64, 64, 3), np.uint8)
    return format_named("onnx").write(network, tmp_path_factory.mktemp("onnx"), "float32", crops)


def test_time_and_memory_of_one_crop(written):
    cost = measure_cost("onnx", written, 64, threads=(1,))
    assert list(cost.latency) == [1]
    assert 0.01 < cost.latency[1].median <= cost.latency[1].p95 and cost.latency[1].calls >= FEWEST_CALLS
    assert written.stat().st_size / 2**20 < cost.growth < cost.memory < 250, "torch was imported"
    assert f"{available_processors()} core" in cost.device


def test_formats_do_not_import_torch():
    """It would count as memory of files whose runtime does not need it."""
    modules = ", ".join(f"harness.export.{name}" for name in FORMATS)
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_that_cannot_be_opened_is_named(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(FramelightError, match="the cost of .*broken.onnx could not be measured"):
        measure_cost("onnx", path, 64, threads=(1,))


def test_warmup_calls_are_not_counted():
    calls = []
    found = time_calls(lambda: calls.append(0))
    assert len(calls) >= len(found) + WARM_CALLS and min(found) >= 0
