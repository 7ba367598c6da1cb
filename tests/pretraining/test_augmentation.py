import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pretraining.augmentation import augment


def face(count=8, size=32):
    rows = torch.linspace(0, 1, size)
    return (0.3 + 0.5 * rows[:, None] * rows[None, :]).expand(count, 3, size, size).clone()


def drawn(seed=0, strength=1.0, pixels=None):
    return augment(face() if pixels is None else pixels, torch.Generator().manual_seed(seed), strength)


@given(st.integers(0, 10_000), st.floats(0.01, 1))
@settings(max_examples=25, deadline=None)
def test_crops_keep_their_shape_and_range(seed, strength):
    changed = drawn(seed, strength)
    assert changed.shape == (8, 3, 32, 32) and changed.dtype == torch.float32
    assert 0 <= changed.min() and changed.max() <= 1


def test_same_seed_same_bits_other_seed_other_crops_and_each_crop_its_own():
    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))
    changed = drawn(1)
    assert len({crop.numpy().tobytes() for crop in changed}) == 8


def test_more_strength_changes_more():
    def change(strength):
        return float((drawn(3, strength, face(64)) - face(64)).abs().mean())

    assert change(0.25) < change(1.0)


def test_without_strength_about_half_of_the_crops_are_mirrored_and_nothing_else_happens():
    pixels = torch.rand(200, 3, 16, 16)
    changed = drawn(0, 0.0, pixels)
    same = torch.isclose(changed, pixels, atol=1e-4).flatten(1).all(1)
    mirrored = torch.isclose(changed, pixels.flip(3), atol=1e-4).flatten(1).all(1)
    assert (same | mirrored).all() and 60 < int(same.sum()) < 140


@pytest.mark.parametrize("channels_last", [False, True])
def test_memory_layout_does_not_matter(channels_last):
    pixels = face()
    if channels_last:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    assert np.allclose(drawn(4, pixels=pixels), drawn(4), atol=1e-6)
