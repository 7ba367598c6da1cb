"""Outputs that were kept of an exported model are read if they are whole, and made anew otherwise."""

import os

import numpy as np
import pytest

from harness.export.parity import _load_cached


def npz_as(path):
    with path.open("wb") as file:
        np.savez(file, np.zeros((3, 2), np.float32))


def write(content):
    return lambda path: path.write_bytes(content)


def test_whole_outputs_are_read(tmp_path):
    outputs = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.save(tmp_path / "outputs.npy", outputs)
    assert (_load_cached(tmp_path / "outputs.npy", (3, 2)) == outputs).all()
    assert _load_cached(tmp_path / "outputs.npy", (4, 2)) is None
    assert _load_cached(tmp_path / "missing.npy", (4, 2)) is None


@pytest.mark.parametrize(
    "spoil", [write(b""), write(b"PK\x03\x04 garbage"), npz_as, os.mkfifo], ids=["empty", "garbage", "npz", "pipe"]
)
def test_other_files_are_not(tmp_path, spoil):
    spoil(tmp_path / "outputs.npy")
    assert _load_cached(tmp_path / "outputs.npy", (3, 2)) is None
