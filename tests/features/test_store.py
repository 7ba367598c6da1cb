"""Keys of feature entries depend on everything that determines the arrays."""

import pytest
import torch

import backbones
from harness.features.store import FeatureStore, entry_key

SAME = ("timm:efficientnet_b0", "timm:tf_efficientnet_b0")
"""Equal tensors, unequal arithmetic: the second pads as TensorFlow does and has another epsilon."""


@pytest.fixture(scope="module")
def pair():
    return [backbones.load(f"{name}@random") for name in SAME]


def differ(one, other):
    pixels = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return not torch.allclose(one(pixels)[0], other(pixels)[0], rtol=1e-2)


def test_two_architectures_with_the_same_weights_are_two_entries(pair, tmp_path):
    assert pair[0].weights_hash == pair[1].weights_hash and differ(*pair)
    store = FeatureStore(tmp_path)
    assert len({store.key(backbone, "data", "float16") for backbone in pair}) == 2
    assert [store.key(backbones.get_info(f"{name}@random"), "data", "float16") for name in SAME] == [
        store.key(backbone, "data", "float16") for backbone in pair
    ]


def test_architecture_that_overrides_a_card_is_another_entry(pair, tmp_path):
    store, folder = FeatureStore(tmp_path / "features"), tmp_path / "checkpoints"
    backbones.save_checkpoint(folder / "mine", pair[0], {})
    references = ("mine", f"{SAME[1]}@mine", f"{SAME[1]}@{folder / 'mine'}")
    keys = [store.key(backbones.get_info(reference, folder), "data", "float16") for reference in references]
    assert keys[0] != keys[1] == keys[2]
    assert keys == [store.key(backbones.load(reference, folder), "data", "float16") for reference in references]


def test_key_contains_every_part():
    whole = ("timm:a", "w", {"input_size": 64}, "d", "float16")
    others = [
        ("timm:b", *whole[1:]),
        ("timm:a", "v", *whole[2:]),
        (*whole[:2], {"input_size": 65}, *whole[3:]),
        (*whole[:3], "e", "float16"),
        (*whole[:4], "float32"),
        (*whole, "bf16"),
    ]
    assert entry_key(*whole) == entry_key(*whole, "float32")
    assert len({entry_key(*parts) for parts in (whole, *others)}) == 7
