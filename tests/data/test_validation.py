"""Validation of the labels in a separate process; its messages are tested in `test_preparation`."""

import os
import shutil
import sys

import pytest

from harness import Protocol
from harness.data import annotations
from harness.data.validation import validate_dataset
from harness.utils.errors import FramelightError, InputError
from tests.helpers.data_folders import EXPR, annotate, small_abaw3


@pytest.fixture(autouse=True)
def silent(logged):
    """No check here warns."""
    yield
    assert not logged


def forbidden(path, task):
    raise AssertionError(f"{path} was read")


def test_parent_process_reads_no_labels(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path)
    monkeypatch.setattr(annotations, "read_frames", forbidden)
    validate_dataset(Protocol(), root, ["expr", "va", "au", "mtl"])


def test_malformed_reported_label_raises_with_file_and_line(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path)
    file = annotate(root, EXPR, "Validation_Set", "video2", [0, "happy", 1])
    monkeypatch.setattr(annotations, "read_frames", forbidden)
    with pytest.raises(InputError, match=f"{file}:3: expression is 'happy'"):
        validate_dataset(Protocol(), root, ["va", "expr"])


def test_invalid_folds_raise_before_work(tmp_path):
    with pytest.raises(InputError, match="cannot make 5 folds of 2 units.*protocol.folds"):
        validate_dataset(Protocol(folds=5), small_abaw3(tmp_path), ["expr"])


def test_selection_split_of_every_seed_is_checked(tmp_path):
    """Of the two training videos, which have the same labels, one has no crop; the seed decides which is held out."""
    root, refused = small_abaw3(tmp_path), set()
    shutil.rmtree(root / "cropped" / "video1_left")
    for seed in range(6):
        try:
            validate_dataset(Protocol(), root, ["expr"], (seed,))
        except InputError:
            refused.add(seed)
    assert refused and refused != set(range(6))
    with pytest.raises(InputError, match="the held-out part of the train split has no crop"):
        validate_dataset(Protocol(), root, ["expr"], range(6))
    validate_dataset(Protocol(seed=min(set(range(6)) - refused)), root, ["expr"], range(6))


@pytest.mark.parametrize(
    "videos, protocol, message",
    [
        (("video2", "video3"), Protocol(), "labeled rows of the validation split of task 'expr' has a crop"),
        (("7-30-640x480", "video1_left"), Protocol(), "labeled rows of the train split of task 'expr' has a crop"),
        (
            ("video1_left",),
            Protocol(folds=2),
            "the held-out part of the train split has no crop for any of its 5 rows.*protocol.folds",
        ),
    ],
)
def test_labels_without_crop_raise(tmp_path, videos, protocol, message):
    root = small_abaw3(tmp_path)
    for video in videos:
        shutil.rmtree(root / "cropped" / video)
    with pytest.raises(InputError, match=message):
        validate_dataset(protocol, root, ["expr"])


def test_one_labeled_crop_is_sufficient(tmp_path):
    root = small_abaw3(tmp_path)
    shutil.rmtree(root / "cropped" / "video2")
    for image in sorted((root / "cropped" / "video3").iterdir())[1:]:
        image.unlink()
    validate_dataset(Protocol(), root, ["expr"])


def test_user_folder_named_harness_is_not_imported(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path / "data")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    validate_dataset(Protocol(), root, ["expr"])


def test_failed_validation_process_raises(tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho MemoryError >&2\nexit 1\n")
    os.chmod(fake, 0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(FramelightError, match="failed with MemoryError; check the folder with"):
        validate_dataset(Protocol(), small_abaw3(tmp_path / "data"), ["expr"])
