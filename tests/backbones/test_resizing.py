"""Batched resizing equals Pillow byte for byte."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from backbones import Preprocessing
from backbones.preprocessing import normalize, resize
from backbones.resizing import resize_batch

SIDES = st.integers(1, 130)


def drawn(height, width, count=2, seed=0):
    """Noise with all gray levels next to each other."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def check(images, preprocessing):
    resized = resize_batch(images, preprocessing)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, np.stack([resize(image, preprocessing) for image in images]))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, st.sampled_from(["bilinear", "bicubic", "nearest", "lanczos"]), st.integers(0, 9))
def test_resizing_equals_pillow(height, width, size, interpolation, seed):
    check(drawn(height, width, seed=seed), Preprocessing(size, interpolation))


@pytest.mark.parametrize("size", [1, 16, 64, 112, 224, 260])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_integer_ratios_equal_pillow(size, interpolation):
    """Sides near simple fractions of the size, where torch takes over from Pillow and back."""
    near = {max(1, size * part // 8 + off) for part in (1, 2, 3, 4, 5, 6, 7, 8, 12, 16) for off in (-1, 0, 1)}
    for side in sorted(near):
        check(drawn(side, side, count=1), Preprocessing(size, interpolation))


def test_crops_of_several_sizes_keep_their_order():
    images = [*drawn(112, 112), *drawn(64, 112), *drawn(224, 224), *drawn(1, 3)]
    check([images[i] for i in (0, 4, 2, 6, 1, 5, 3, 7)], Preprocessing(224))


def test_torch_resize_equals_pillow_only_for_upscaling(monkeypatch):
    """The first is what aligned crops need; the second would change features that stores keep."""
    called = []

    def counted(*args, **options):
        called.append(options["size"])
        return interpolate(*args, **options)

    monkeypatch.setattr("backbones.resizing.interpolate", counted)
    images = drawn(112, 112)
    check(images, Preprocessing(224))
    check(images, Preprocessing(64))
    assert called == [(224, 224)]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    other = interpolate(pixels, size=(64, 64), mode="bilinear", antialias=True).permute(0, 2, 3, 1).numpy()
    assert (other != resize_batch(images, Preprocessing(64))).any()


def test_normalizing_into_given_memory():
    preprocessing, images = Preprocessing(20, mean=(0.1, 0.2, 0.3)), np.stack(drawn(20, 20))
    memory = np.full((5, 20, 20, 3), 7, np.float32)
    pixels = normalize(images, preprocessing, memory[:2])
    np.testing.assert_array_equal(pixels, normalize(images, preprocessing))
    assert np.shares_memory(pixels, memory) and (memory[2:] == 7).all()
