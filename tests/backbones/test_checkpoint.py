"""Checkpoint folders: round trip and verification."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import backbones
from backbones import BackboneError
from backbones.atomic_files import atomic_write_dir
from backbones.errors import WriteError
from harness.utils.files import remove_stale_temp_files

CLASSES = ("Neutral", "Anger", "Other")


@pytest.fixture
def saved(tmp_path):
    """A trained entry called `mine` in tmp_path, and its parent backbone."""
    network = backbones.build("tiny_mobilenet", CLASSES, seed=4)
    backbones.save_checkpoint(
        tmp_path / "mine-0123",
        network,
        {"name": "mine", "data": "stills", "data_digest": "abc", "metrics": {"macro_f1": 0.5}, "parent": None},
    )
    return tmp_path, network


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


def test_saving_again_replaces(saved):
    checkpoints, _ = saved
    other = backbones.build("tiny_resnet", CLASSES, seed=9)
    backbones.save_checkpoint(checkpoints / "mine-0123", other, {"name": "mine"})
    assert backbones.load("mine", checkpoints).weights_hash == other.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


def test_checkpoint_is_replaced_atomically(saved):
    """Whatever moment a kill picks, a whole checkpoint is at the path."""
    checkpoints, _ = saved
    path, done, absent = checkpoints / "mine-0123", threading.Event(), []

    def watch():
        while not done.is_set():
            if not os.path.isdir(path):
                absent.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(300):
            with atomic_write_dir(path) as aside:
                (aside / "card.json").write_text(str(number))
    finally:
        done.set()
        watcher.join()
    assert not absent and (path / "card.json").read_text() == "299"
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


def test_failed_save_keeps_the_old_checkpoint(saved):
    checkpoints, network = saved
    with pytest.raises(WriteError, match="cannot write.*mine-0123"), atomic_write_dir(checkpoints / "mine-0123"):
        raise OSError("no space left")
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


@pytest.mark.parametrize("broken", [False, True])
def test_replacing_without_rename_exchange(saved, monkeypatch, broken):
    checkpoints, network = saved
    path, rename = checkpoints / "mine-0123", os.rename
    monkeypatch.setattr("backbones.atomic_files._try_atomic_exchange", lambda one, other: False)

    def failing(source, target):
        if source.parent == path.parent and target == path:
            raise OSError("the disk went away")
        rename(source, target)

    if broken:
        monkeypatch.setattr("os.rename", failing)
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    if broken:
        with pytest.raises(BackboneError, match="cannot write"):
            backbones.save_checkpoint(path, other, {"name": "mine"})
    else:
        backbones.save_checkpoint(path, other, {"name": "mine"})
    kept = network if broken else other
    assert backbones.load("mine", checkpoints).weights_hash == kept.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


KILLED = """
import os, signal, sys
from pathlib import Path
import backbones.atomic_files as atomic_files
path, rename = Path(sys.argv[1]), os.rename
atomic_files._try_atomic_exchange = lambda first, second: False
def killed(source, target):
    if Path(target) == path:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = killed
with atomic_files.atomic_write_dir(path) as temp_dir:
    (temp_dir / "card.json").write_text("{}")
"""


@pytest.fixture
def displaced(saved):
    """Checkpoints after a kill between the two renames, where names cannot be exchanged."""
    checkpoints, network = saved
    path = checkpoints / "mine-0123"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], timeout=60, capture_output=True)
    assert killed.returncode == -signal.SIGKILL and not path.exists(), killed.stderr
    return checkpoints, network


def test_the_only_copy_of_a_checkpoint_is_found_after_a_kill(displaced):
    checkpoints, network = displaced
    assert list(backbones.entries(checkpoints)) == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash


def test_the_only_copy_of_a_checkpoint_is_found_by_its_folder_after_a_kill(displaced):
    checkpoints, network = displaced
    assert backbones.load(f"tiny_mobilenet@{checkpoints / 'mine-0123'}").weights_hash == network.weights_hash


def test_the_only_copy_of_a_checkpoint_is_put_back_instead_of_removed(displaced):
    checkpoints, network = displaced
    remove_stale_temp_files(checkpoints)
    assert not (checkpoints / "mine-0123").exists(), "a process that is running is about to replace it"
    for path in checkpoints.iterdir():
        os.utime(path, (0, 0))
    remove_stale_temp_files(checkpoints)
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == network.weights_hash


def test_a_displaced_checkpoint_is_removed_where_it_has_been_replaced(displaced):
    checkpoints, _ = displaced
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    os.rename(next(checkpoints.glob(".mine-0123.*.displaced.aside")), checkpoints.parent / "hidden")
    backbones.save_checkpoint(checkpoints / "mine-0123", other, {"name": "mine"})
    os.rename(checkpoints.parent / "hidden", checkpoints / ".mine-0123.x.displaced.aside")
    for path in checkpoints.glob(".*"):
        os.utime(path, (0, 0))
    remove_stale_temp_files(checkpoints)
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]
    assert backbones.load("mine", checkpoints).weights_hash == other.weights_hash


def test_readers_that_put_a_folder_back_do_not_disturb_its_replacement(saved, monkeypatch):
    checkpoints, _ = saved
    path, rename, times = checkpoints / "mine-0123", os.rename, []
    monkeypatch.setattr("backbones.atomic_files._try_atomic_exchange", lambda one, other: False)

    def with_reader(source, target):
        if Path(target) == path and Path(source).parent == checkpoints and len(times) < 3:
            times.append(1)
            monkeypatch.setattr("os.rename", rename)
            assert list(backbones.entries(checkpoints)) == ["mine-0123"]
            monkeypatch.setattr("os.rename", with_reader)
        rename(source, target)

    monkeypatch.setattr("os.rename", with_reader)
    other = backbones.build("tiny_mobilenet", CLASSES, seed=5)
    backbones.save_checkpoint(path, other, {"name": "mine"})
    assert len(times) == 3 and backbones.load("mine", checkpoints).weights_hash == other.weights_hash
    assert [path.name for path in checkpoints.iterdir()] == ["mine-0123"]


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
