"""The check of the data runs in a process of its own; what it finds wrong is told in `test_preparation`."""

import os
import sys

import pytest

from harness.data import annotations
from harness.errors import FramelightError, InputError
from harness.recipes import Protocol
from harness.soundness import require_sound
from tests.data.building import EXPR, annotate, small_abaw3


def forbidden(path, task):
    raise AssertionError(f"{path} was read")


def test_the_process_that_asks_reads_no_label(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path)
    monkeypatch.setattr(annotations, "read_frames", forbidden)
    require_sound(Protocol(), root, ["expr", "va", "au", "mtl"], pytest.fail)


def test_a_malformed_reported_label_is_refused_with_file_and_line(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path)
    file = annotate(root, EXPR, "Validation_Set", "video2", [0, "happy", 1])
    monkeypatch.setattr(annotations, "read_frames", forbidden)
    with pytest.raises(InputError, match=f"{file}:3: expression is 'happy'"):
        require_sound(Protocol(), root, ["va", "expr"], pytest.fail)


def test_folds_are_judged_before_any_work(tmp_path):
    with pytest.raises(InputError, match="cannot make 5 folds of 2 units.*protocol.folds"):
        require_sound(Protocol(folds=5), small_abaw3(tmp_path), ["expr"], pytest.fail)


def test_a_folder_of_the_users_called_harness_is_not_in_the_way(tmp_path, monkeypatch):
    root = small_abaw3(tmp_path / "data")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    require_sound(Protocol(), root, ["expr"], pytest.fail)


def test_a_check_that_could_not_run_is_explained(tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho MemoryError >&2\nexit 1\n")
    os.chmod(fake, 0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(FramelightError, match="ended with MemoryError; look at the folder with"):
        require_sound(Protocol(), small_abaw3(tmp_path / "data"), ["expr"], pytest.fail)
