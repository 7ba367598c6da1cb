"""Resizing and scaling in an exported graph equal Pillow and `normalize`."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from backbones.preprocessing import normalize
from backbones.resizing import resize_batch
from backbones.spec import Preprocessing
from harness.export.onnx_preprocessing import can_resize, preprocessing_graph

SIDES = ((112, 112), (64, 64), (96, 96), (1, 1), (50, 70), (301, 299), (96, 80))


def session(preprocessing, resizing=True):
    model = helper.make_model(
        preprocessing_graph(preprocessing, resizing), opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize("interpolation", ("bilinear", "bicubic"))
@pytest.mark.parametrize("size", (64, 96, 224))
def test_preprocessing_of_any_size_equals_pillow(interpolation, size):
    preprocessing = Preprocessing(size, interpolation, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    run, random = session(preprocessing), np.random.default_rng(0)
    for height, width in SIDES:
        crops = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        expected = normalize(resize_batch(list(crops), preprocessing), preprocessing)
        found = run.run(None, {"crops": crops})[0]
        assert found.shape == expected.shape
        # one grey level would be 0.01 and more
        assert np.abs(found - expected).max() < 1e-5, (height, width)


def test_value_range_0_to_255():
    preprocessing = Preprocessing(64, value_range=255.0, mean=(91.5, 103.9, 131.1), std=(1.0, 1.0, 1.0))
    crops = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    found = session(preprocessing, resizing=False).run(None, {"crops": crops})[0]
    np.testing.assert_allclose(found, normalize(crops, preprocessing), atol=1e-4)


def test_unsupported_interpolation_fixes_the_size():
    assert can_resize(Preprocessing(64, "bicubic")) and not can_resize(Preprocessing(64, "lanczos"))
    preprocessing = Preprocessing(64, "lanczos")
    run = session(preprocessing, resizing=False)
    assert run.get_inputs()[0].shape == ["batch", 64, 64, 3]
    with pytest.raises(Exception, match="Got: 112 Expected: 64"):
        run.run(None, {"crops": np.zeros((1, 112, 112, 3), np.uint8)})
