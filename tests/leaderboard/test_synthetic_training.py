"""Which parts of a run learned from synthetic faces."""

import pytest

import backbones
from harness.data import locations
from harness.data.synthetic import NOTE
from harness.leaderboard.synthetic_training import synthetic_parts
from harness.utils.store import Store
from tests.helpers.records import record

IMAGES = "0123456789ab"


@pytest.fixture(scope="module")
def network():
    return backbones.load("tiny_mobilenet@random")


def run_on(store, network, data, parent="random (seed 0)", parent_hash="00", name="mine"):
    """A run on a backbone with such a card."""
    folder = backbones.save_checkpoint(
        store.backbones / f"{name}-{len(list(store.backbones.glob('*')))}",
        network,
        {"name": name, "data": data, "parent": parent, "parent_hash": parent_hash},
    )
    return record(backbone_weights=f"checkpoint {name}", weights_hash=backbones.read_card(folder)["weights_hash"])


@pytest.mark.parametrize(
    "data, parts",
    [
        ({"name": "synthetic stills"}, ("backbone",)),
        ({"name": "d", "synthetic": True}, ("backbone",)),
        ({"name": "faces"}, ()),
        ({}, ()),
    ],
)
def test_backbone_that_learned_from_synthetic_stills(tmp_path, network, data, parts):
    store = Store(tmp_path)
    assert synthetic_parts(run_on(store, network, data), IMAGES, store) == parts


def test_backbone_that_was_trained_further_on_real_faces(tmp_path, network):
    store = Store(tmp_path)
    first = run_on(store, network, {"name": "synthetic stills"}, name="first")
    other = backbones.load("tiny_resnet@random")
    second = run_on(store, other, {"name": "faces"}, "checkpoint first", first.weights_hash)
    assert synthetic_parts(second, IMAGES, store) == ("backbone",)
    unknown = run_on(store, other, {"name": "faces"}, "checkpoint first", "11", name="third")
    assert synthetic_parts(unknown, IMAGES, store) == ()


@pytest.mark.parametrize("place", ["d", "d/stills"])
def test_head_that_learned_from_a_rendered_data_set(tmp_path, place):
    store, folder = Store(tmp_path / "store"), tmp_path / place
    folder.mkdir(parents=True)
    locations.set_location(store, IMAGES, folder)
    assert synthetic_parts(record(), IMAGES, store) == ()
    (tmp_path / "d" / NOTE).touch()
    assert synthetic_parts(record(), IMAGES, store) == ("head",)


def test_real_data_set_of_the_same_name_is_not_synthetic(tmp_path):
    store = Store(tmp_path / "store")
    assert synthetic_parts(record(dataset="synthetic"), IMAGES, store) == ("head",), "its folder is not known"
    locations.set_location(store, IMAGES, tmp_path)
    assert synthetic_parts(record(dataset="synthetic"), IMAGES, store) == ()
