import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import backbones
from harness import Augmentation
from harness.training.backbones.augmentation import augment
from harness.training.backbones.batch_transforms import ImageTransform


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
    assert changed.min() >= 0 and changed.max() <= 1


def test_augmentation_depends_on_seed_and_crop():
    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))
    changed = drawn(1)
    assert len({crop.numpy().tobytes() for crop in changed}) == 8


def test_strength_increases_changes():
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


def test_without_strength_flip_or_crop_nothing_happens():
    pixels = torch.rand(4, 3, 16, 16)
    assert torch.equal(augment(pixels, torch.Generator(), 0.0, flip=False), pixels)
    assert not torch.equal(drawn(0, 0.0, pixels), pixels)


def gradient(count=256, size=64):
    """Red grows to the right and green downwards, so that a crop's corners say where it was cut."""
    along = (torch.arange(size) + 0.5) / size
    return (
        torch.stack([along[None, :].expand(size, size), along[:, None].expand(size, size), torch.zeros(size, size)])
        .expand(count, 3, size, size)
        .clone()
    )


def windows(crop, size=32):
    """Left, right, top and bottom of each random crop, relative to the image."""
    found = augment(gradient(), torch.Generator().manual_seed(0), 0.0, flip=False, crop=crop, size=size)
    step_x, step_y = (found[:, 0, 0, 17] - found[:, 0, 0, 16]) * size, (found[:, 1, 17, 0] - found[:, 1, 16, 0]) * size
    middle = (found[:, :2, 15, 15] + found[:, :2, 16, 16]) / 2
    return step_x, step_y, middle


def test_random_crops_keep_at_least_their_share_stay_inside_and_are_not_far_from_square():
    wide, high, middle = windows(0.3)
    area, ratio = wide * high, wide / high
    assert 0.29 < area.min() < 0.34 and 0.9 < area.max() <= 1.001
    assert 1 / 1.35 < ratio.min() < 0.8 and 1.25 < ratio.max() < 1.35
    for extent, centre in ((wide, middle[:, 0]), (high, middle[:, 1])):
        assert (centre - extent / 2).min() > -0.01 and (centre + extent / 2).max() < 1.01
    assert middle.std(0).min() > 0.05


def test_larger_image_is_resampled_once():
    pixels = gradient(2, 73)
    found = augment(pixels, torch.Generator(), 0.0, flip=False, size=64)
    assert found.shape == (2, 3, 64, 64) and torch.allclose(found, gradient(2, 64), atol=0.01)


@pytest.mark.parametrize("enlarge", [3, 4])
def test_much_larger_image_is_antialiased(enlarge):
    fine = torch.zeros(1, 3, 32 * enlarge, 32 * enlarge)
    fine[..., ::enlarge] = 1.0
    found = augment(fine, torch.Generator(), 0.0, flip=False, size=32)
    assert torch.allclose(found[..., 4:-4, 4:-4], torch.full((1, 3, 24, 24), 1 / enlarge), atol=0.2)


def test_half_of_the_random_crops_are_mirrored():
    found = augment(gradient(), torch.Generator().manual_seed(0), 0.0, crop=0.5, size=32)
    mirrored = found[:, 0, 0, 0] > found[:, 0, 0, -1]
    assert 90 < int(mirrored.sum()) < 166


def test_geometry_strength_is_separate():
    """Its draws come first, so that light and noise do not move what is where."""

    def changed(strength, geometry, flip=False):
        return augment(gradient(64), torch.Generator().manual_seed(5), strength, flip=flip, geometry=geometry)

    for flip in (False, True):
        assert torch.equal(changed(0.5, None, flip), changed(0.5, 0.5, flip))
    assert torch.equal(changed(0.0, 0.0), gradient(64))
    moved = [(changed(0.0, geometry) - gradient(64)).abs().mean().item() for geometry in (0.5, 1.0, 2.0, 4.0)]
    assert 0 < moved[0] < moved[1] < moved[2] < moved[3]
    assert changed(0.0, 4.0)[:, 2].abs().max() == 0 and changed(1.0, 0.0)[:, 2].abs().max() > 0
    assert torch.isfinite(changed(1.0, 4.0)).all()


def test_inputs_use_the_requested_geometry():
    images = (gradient(8) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    spec = backbones.spec("tiny_resnet").preprocessing
    found = [
        ImageTransform(spec, Augmentation(0.0, flip=False, geometry=geometry)).train_transform(
            images, torch.Generator().manual_seed(0)
        )
        for geometry in (None, 0.0, 2.0)
    ]
    assert torch.equal(found[0], found[1]) and not torch.allclose(found[1], found[2], atol=0.05)
