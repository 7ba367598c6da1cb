"""Checkpoint folders: round trip and verification."""

import json

import pytest
import torch

import backbones
from backbones import BackboneError
from tests.backbones.conftest import CLASSES


def card_of(folder):
    return json.loads((folder / "card.json").read_text())


def test_round_trip(saved):
    checkpoints, network = saved
    for reference in (
        "mine",
        "mine-0123",
        "tiny_mobilenet@mine",
        f"tiny_mobilenet@{checkpoints / 'mine-0123'}",
        str(checkpoints / "mine-0123"),
    ):
        loaded = backbones.load(reference, checkpoints)
        assert loaded.weights_hash == network.weights_hash and loaded.score_labels == CLASSES
        assert loaded.weights == "checkpoint mine" and not loaded.is_random and loaded.label == "mine"
        pixels = torch.randn(2, 3, 64, 64)
        for one, other in zip(loaded(pixels), network(pixels)):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_card_is_complete(saved):
    checkpoints, network = saved
    card = backbones.read_card(checkpoints / "mine-0123")
    assert card["architecture"] == "tiny_mobilenet" and card["classes"] == list(CLASSES)
    assert card["weights_hash"] == network.weights_hash and card["embedding_width"] == 128
    assert card["preprocessing"]["input_size"] == 64 and card["metrics"] == {"macro_f1": 0.5} and card["licence"]
    assert backbones.describe("mine", checkpoints)["weights"] == "checkpoint mine"
    assert set(backbones.entries(checkpoints)) == {"mine-0123"}


def test_name_of_two_cards_is_ambiguous(saved):
    checkpoints, network = saved
    backbones.save_checkpoint(checkpoints / "mine-4567", network, {"name": "mine"})
    with pytest.raises(BackboneError, match="did you mean mine-"):
        backbones.load("mine", checkpoints)
    assert backbones.load("mine-4567", checkpoints).weights_hash == network.weights_hash


def test_broken_card_does_not_hide_others(saved):
    checkpoints, _ = saved
    (checkpoints / "broken").mkdir()
    (checkpoints / "broken" / "card.json").write_text("{half")
    assert backbones.load("mine", checkpoints).label == "mine"
    with pytest.raises(BackboneError, match="broken.*cannot be read"):
        backbones.load("broken", checkpoints)


def test_get_info_reads_only_the_card(saved):
    checkpoints, network = saved
    info = backbones.get_info("mine", checkpoints)
    (checkpoints / "mine-0123" / "model.safetensors").unlink()
    assert backbones.get_info("mine", checkpoints) == info and info.weights_hash == network.weights_hash
    with pytest.raises(BackboneError, match="no weights at"):
        backbones.load(info.reference, info.checkpoints)


def test_get_info_agrees_with_load(saved):
    checkpoints, _ = saved
    assert backbones.get_info("mine", checkpoints) == backbones.load("mine", checkpoints).info()


def test_preprocessing_comes_from_the_card(saved):
    checkpoints, _ = saved
    path = checkpoints / "mine-0123" / "card.json"
    card = card_of(path.parent)
    card["preprocessing"]["mean"] = [0.25, 0.5, 0.75]
    path.write_text(json.dumps(card))
    assert backbones.load("mine", checkpoints).spec.preprocessing.mean == (0.25, 0.5, 0.75)


@pytest.mark.parametrize("change", [{"mean": [0.5]}, {"std": [0, 1, 1]}, {"input_size": "64"}, {"crop": True}])
def test_invalid_preprocessing_in_card_names_the_file(saved, change):
    checkpoints, _ = saved
    path = checkpoints / "mine-0123" / "card.json"
    card = card_of(path.parent)
    path.write_text(json.dumps({**card, "preprocessing": {**card["preprocessing"], **change}}))
    for look in (backbones.get_info, backbones.load):
        with pytest.raises(BackboneError, match=f"{path}: .*correct the file"):
            look("mine-0123", checkpoints)


def test_modified_file_is_rejected(saved):
    checkpoints, _ = saved
    path = checkpoints / "mine-0123" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BackboneError, match="was modified"):
        backbones.load("mine", checkpoints)
    path.write_bytes(data[:100])
    with pytest.raises(BackboneError, match="cannot be read"):
        backbones.load("mine", checkpoints)


def test_other_architecture_lists_mismatched_tensors(saved):
    checkpoints, _ = saved
    with pytest.raises(BackboneError, match=r"weights of tiny_resnet: \d+ tensors.*body\.0\.0\.weight: 24x1x3x3"):
        backbones.load("tiny_resnet@mine", checkpoints)
    path = checkpoints / "mine-0123" / "card.json"
    path.write_text(json.dumps({**card_of(path.parent), "architecture": "tiny_resnet"}))
    with pytest.raises(BackboneError, match="weights of tiny_resnet"):
        backbones.load("mine", checkpoints)


@pytest.mark.parametrize(
    "text, message", [("{half", "cannot be read"), ("{}", "lacks name, architecture"), ("[]", "lacks")]
)
def test_invalid_card_raises(saved, text, message):
    checkpoints, _ = saved
    (checkpoints / "mine-0123" / "card.json").write_text(text)
    with pytest.raises(BackboneError, match=message):
        backbones.load(str(checkpoints / "mine-0123"))


def test_unknown_name_suggests_entries(saved):
    with pytest.raises(BackboneError, match="did you mean mine"):
        backbones.load("mne", saved[0])


def test_later_card_format_is_rejected(saved):
    path = saved[0] / "mine-0123" / "card.json"
    path.write_text(json.dumps({**card_of(path.parent), "format": 99}))
    with pytest.raises(BackboneError, match="upgrade"):
        backbones.load("mine-0123", saved[0])
