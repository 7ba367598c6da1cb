"""Batching, parity, the cache of engines, and memory reuse."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones.batching import run_in_batches
from backbones.engines.cache import cached_file, read_fact, write_fact
from backbones.engines.parity import output_difference, random_pixels
from backbones.spec import Preprocessing


@given(st.integers(1, 40), st.integers(1, 12))
def test_batches_have_fixed_size_and_same_outputs(count, size):
    pixels = np.arange(count * 12, dtype=np.float32).reshape(count, 3, 2, 2)

    def run(piece):
        assert piece.shape == (size, 3, 2, 2)
        return piece.sum(axis=(2, 3)), piece[:, 0, 0]

    embeddings, scores = run_in_batches(pixels, size, run)
    np.testing.assert_array_equal(embeddings, pixels.sum(axis=(2, 3)))
    np.testing.assert_array_equal(scores, pixels[:, 0, 0])


def test_parity_is_the_worse_of_embeddings_and_scores():
    ours = (np.float32([[1, 0], [0, 2]]), np.float32([[1, 1], [3, 5]]))
    theirs = (np.float32([[1, 0], [0, 2]]), np.float32([[1, 1], [3, 5.5]]))
    found = output_difference(ours, theirs)
    assert (found.largest, found.of_range) == (0.5, 0.5 / 4.5)
    assert found.cosine == pytest.approx((9 + 27.5) / np.sqrt(34 * 39.25)) and not found.is_within_tolerance
    same = output_difference(theirs, theirs)
    assert (same.largest, same.of_range) == (0, 0) and same.cosine == pytest.approx(1) and same.is_within_tolerance


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_outputs_have_no_parity(value):
    sound = (np.ones((2, 3), np.float32), np.float32([[1, 2], [3, 4]]))
    for broken in ((sound[0], np.float32([[1, 2], [3, value]])), (np.full((2, 3), value, np.float32), sound[1])):
        assert not output_difference(broken, sound).is_within_tolerance


def test_parity_of_constant_outputs():
    zeros, ones = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    none = np.zeros((2, 0), np.float32)
    assert output_difference((zeros, none), (zeros, none)).is_within_tolerance
    assert not output_difference((ones, none), (zeros, none)).is_within_tolerance


def test_random_pixels_are_deterministic_and_cover_the_range():
    preprocessing = Preprocessing(20, value_range=255.0, mean=(0, 0, 0), std=(1, 1, 1))
    pixels = random_pixels(preprocessing, 3)
    assert pixels.shape == (3, 3, 20, 20) and pixels.dtype == np.float32
    assert pixels.min() == 0 and pixels.max() == 255
    np.testing.assert_array_equal(pixels, random_pixels(preprocessing, 3))


def test_cached_file_is_rebuilt_for_other_metadata(tmp_path):
    made = []

    def make(path):
        made.append(path)
        path.write_bytes(b"value %d" % len(made))

    path, first = cached_file(tmp_path / "folder", "file", {"of": 1}, make)
    assert cached_file(tmp_path / "folder", "file", {"of": 1}, make) == (path, first) and len(made) == 1
    again, second = cached_file(tmp_path / "folder", "file", {"of": 2}, make)
    assert again == path and second != first and path.read_bytes() == b"value 2"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"valuf 1"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.with_name("card.json").write_text("{"),
        lambda path: path.with_name("card.json").unlink(),
    ],
)
def test_damaged_cached_file_is_rebuilt(tmp_path, damage):
    def make(path):
        path.write_bytes(b"value 1")

    path, digest = cached_file(tmp_path / "folder", "file", {"of": 1}, make)
    damage(path)
    assert cached_file(tmp_path / "folder", "file", {"of": 1}, make) == (path, digest)
    assert path.read_bytes() == b"value 1" and len(list(path.parent.iterdir())) == 2


def test_failed_build_leaves_no_file(tmp_path):
    with pytest.raises(ValueError):
        cached_file(tmp_path / "folder", "file", {}, lambda path: path.write_text("half") and int("x"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[1]", '"a"', "\x00"])
def test_damaged_cache_is_ignored(tmp_path, text):
    path = tmp_path / "facts.json"
    path.write_text(text)
    assert read_fact(path, "a") is None
    write_fact(path, "a", [1])
    write_fact(path, "b", 2)
    assert json.loads(path.read_text()) == {"a": [1], "b": 2} and read_fact(path, "a") == [1]


MEMORY = """
import resource
import numpy as np
from backbones.engines.allocator import retain_freed_memory

def faults(values=8_000_000):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(values)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) // 1024

class Holder:
    pass

one, other = Holder(), Holder()
usual = faults()
retain_freed_memory(one)
retain_freed_memory(other)
faults()
kept, held = faults(), resident()
del one
still = faults()
del other
print(usual, kept, still, faults(), held - resident(), faults(700_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_is_released_after_the_last_reference():
    done = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True)
    usual, kept, still, after, returned, small = map(int, done.stdout.split())
    assert 10 * max(kept, still) < min(usual, after), "fewer page faults; how many are usual depends on huge pages"
    assert returned > 50
    assert small < 3_000, "blocks of 5.6 MB, which are 1,400 pages, are not mapped anew each time"
