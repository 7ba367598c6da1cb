"""OpenVINO files reproduce the ONNX file of the same network."""

import numpy as np
import pytest

import backbones
from harness.export.formats import require_writer
from harness.export.network import ExportNetwork, with_random_head
from harness.export.onnx import FORMAT as ONNX
from harness.metrics.tasks import TASKS

pytest.importorskip("openvino", reason="openvino is not installed")


def test_every_precision_matches_onnx(tmp_path):
    made = with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["expr"])
    network, form = (
        ExportNetwork(made.backbone, made.heads, made.task, tmp_path / "engines"),
        require_writer("openvino"),
    )
    patches = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    crops = patches.repeat(8, axis=1).repeat(8, axis=2)
    expected = ONNX.open(ONNX.write(network, tmp_path, "float32", crops))(crops)
    for precision, tolerance in (("float32", 2e-6), ("float16", 2e-3), ("int8", 0.1)):
        path = form.write(network, tmp_path, precision, crops, embedding=True)
        assert [part.name for part in form.parts(path)] == [f"model-{precision}.xml", f"model-{precision}.bin"]
        assert all(part.is_file() for part in form.parts(path))
        found = form.open(path)(crops)
        assert list(found) == ["outputs", "expression", "embedding"]
        np.testing.assert_allclose(found["outputs"], expected["outputs"], atol=tolerance)
    assert not form.any_size(network)
