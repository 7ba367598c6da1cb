"""Arrays that were written elsewhere are read, or refused with OSError or ValueError."""

import os

import numpy as np
import pytest

from harness.utils.npz import read_arrays


def test_arrays_come_back(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), names=np.array(["a"]))
    arrays = read_arrays(tmp_path / "a.npz")
    assert arrays["x"].tolist() == [0, 1, 2] and arrays["names"].tolist() == ["a"]


def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(OSError, match="not a regular file"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"text", np.arange(3).tobytes()])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "a.npz")


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "a.npy")
