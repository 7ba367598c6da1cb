"""Extraction: stored and skipped features; interruption and concurrency change no byte."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import backbones
from harness.data.image_decoding import decode_image
from harness.features.extraction import extract
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError, InputError
from tests.helpers.crop_folders import Crops, contents, write_crops

ROOT = Path(__file__).resolve().parents[2]
VIDEOS = {"b": range(3, 40), "a_left": range(1, 300), "c": [], "d": [2, 5, 9], "e": range(1, 280)}


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp("data") / "set", VIDEOS)


@pytest.fixture(scope="module")
def tiny():
    return backbones.load("tiny_mobilenet@random")


@pytest.fixture(scope="module")
def whole(crops, tiny, tmp_path_factory):
    """The store of an uninterrupted extraction."""
    store = FeatureStore(tmp_path_factory.mktemp("whole"))
    extract(crops, tiny, store)
    return store


def test_features_equal_network_outputs(crops, tiny, whole):
    entry = whole.find(tiny, extract(crops, tiny, whole).data_digest, "float16")
    assert entry.widths == {"embeddings": 128, "scores": 8} and entry.width("embeddings+scores") == 136
    assert entry.sequences == {name: len(list(frames)) for name, frames in VIDEOS.items()}
    frames, (embeddings, scores) = entry.frames("d"), entry.read("d", "embeddings+scores")
    assert isinstance(embeddings, np.memmap) and embeddings.dtype == np.float16
    np.testing.assert_array_equal(frames, [2, 5, 9])
    for row, path in enumerate(crops.sequences["d"].images):
        pixels = torch.from_numpy(backbones.prepare(decode_image(path), tiny.spec))[None]
        with torch.inference_mode():
            expected = [part.numpy()[0] for part in tiny(pixels)]
        np.testing.assert_allclose(embeddings[row], expected[0], rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(scores[row], expected[1], rtol=2e-3, atol=2e-3)
    assert entry.read("c", "embeddings")[0].shape == (0, 128) and len(entry.frames("c")) == 0


def test_data_set_without_any_image_has_no_features(tiny, tmp_path):
    crops = write_crops(tmp_path / "set", {"a": [], "b": []})
    with pytest.raises(InputError, match="set: no image to extract features of; see `framelight data check`"):
        extract(crops, tiny, FeatureStore(tmp_path / "store"))


def test_features_do_not_depend_on_workers(crops, tiny, whole, tmp_path):
    extract(crops, tiny, FeatureStore(tmp_path), threads=3)
    assert contents(tmp_path) | {"digests.json": b""} == contents(whole.root) | {"digests.json": b""}


def test_float32_is_another_entry_and_closer(crops, tiny, whole):
    precise = extract(crops, tiny, whole, "float32")
    rough = extract(crops, tiny, whole)
    assert precise.key != rough.key and precise.read("b", "embeddings")[0].dtype == np.float32
    np.testing.assert_array_equal(precise.read("b", "scores")[0].astype(np.float16), rough.read("b", "scores")[0])


def test_second_extraction_needs_no_torch_and_writes_nothing(crops, whole, tmp_path):
    cache = tmp_path / "hashes.json"
    backbones.get_info("tiny_mobilenet", None, cache)
    before = {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")}
    script = (
        "import sys, pathlib, backbones; from harness.features.extraction import extract;"
        "from harness.features.store import FeatureStore; from tests.helpers.crop_folders import Crops;"
        "info = backbones.get_info('tiny_mobilenet', None, pathlib.Path(sys.argv[3]));"
        "print(extract(Crops(sys.argv[1]), info, FeatureStore(sys.argv[2])).key, 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, crops.root, whole.root, cache],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    key, torch_loaded = result.stdout.split()
    assert torch_loaded == "False" and (whole.root / key).is_dir()
    assert {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")} == before


def test_progress_counts_frames(crops, tiny, tmp_path):
    told = []
    extract(crops, tiny, FeatureStore(tmp_path), progress=lambda *state: told.append(state))
    done, total, rate, left = told[-1]
    assert done == total == sum(len(list(frames)) for frames in VIDEOS.values()) and rate > 0 and left == 0
    assert [state[0] for state in told] == sorted(state[0] for state in told)


EXTRACT = """
import os, sys
os.environ["OMP_NUM_THREADS"] = "1"
import backbones
from harness.features.extraction import extract
from harness.features.store import FeatureStore
from tests.helpers.crop_folders import Crops
def tell(done, total, rate, left):
    print(done, flush=True)
    if len(sys.argv) > 3:
        sys.stdin.readline()
extract(Crops(sys.argv[1]), backbones.load("tiny_mobilenet@random"), FeatureStore(sys.argv[2]), progress=tell)
"""


def started(crops, store, *more):
    return subprocess.Popen(
        [sys.executable, "-c", EXTRACT, str(crops.root), str(store), *more],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_resumed_extraction_is_bitwise_equal(crops, tiny, whole, tmp_path):
    process = started(crops, tmp_path, "step")
    while int(process.stdout.readline()) < 320:
        process.stdin.write("on\n")
        process.stdin.flush()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    key = next(path for path in tmp_path.iterdir() if path.is_dir()).name
    assert (tmp_path / key / "a_left").is_dir() and not (tmp_path / key / "e").exists()
    assert not (tmp_path / key / "entry.json").exists()
    with pytest.raises(InputError, match="framelight extract"):
        FeatureStore(tmp_path).entry(key)
    kept = (tmp_path / key / "a_left").stat().st_ino
    told = []
    extract(crops, tiny, FeatureStore(tmp_path), progress=lambda *state: told.append(state[0]))
    assert told[0] > 299 and (tmp_path / key / "a_left").stat().st_ino == kept
    assert contents(tmp_path / key) == contents(whole.root / key)


def test_concurrent_extractions_are_bitwise_equal(crops, tiny, whole, tmp_path):
    both = [started(crops, tmp_path) for _ in range(2)]
    for process in both:
        process.communicate(timeout=600)
        assert process.returncode == 0
    key = extract(crops, tiny, FeatureStore(tmp_path)).key
    assert contents(tmp_path / key) == contents(whole.root / key)
    assert not list((tmp_path / key).glob(".*"))


def test_corrupt_crops_are_reported_and_missing(tiny, tmp_path):
    crops = write_crops(tmp_path / "set", {"a": range(1, 6), "b": [1]})
    images = tmp_path / "set"
    (images / "a" / "00002.jpg").write_bytes(b"")
    (images / "a" / "00004.jpg").write_bytes((images / "a" / "00004.jpg").read_bytes()[:300])
    (images / "b" / "00001.jpg").write_text("not an image")
    entry = extract(crops, tiny, FeatureStore(tmp_path / "features"))
    assert [(fault["image"], fault["frame"]) for fault in entry.corrupt] == [
        ("a/00002.jpg", 2),
        ("a/00004.jpg", 4),
        ("b/00001.jpg", 1),
    ]
    assert "empty" in entry.corrupt[0]["reason"] and "not an image" in entry.corrupt[2]["reason"]
    np.testing.assert_array_equal(entry.frames("a"), [1, 3, 5])
    assert entry.sequences == {"a": 3, "b": 0}


def test_non_finite_features_raise(crops, tmp_path):
    broken = backbones.build("tiny_mobilenet")
    with torch.no_grad():
        broken.network.classifier.bias[0] = float("nan")
    with pytest.raises(FramelightError, match="sequence 'a_left': .* rows of scores are not finite"):
        extract(crops, broken, FeatureStore(tmp_path))
    assert not list(tmp_path.glob("*/entry.json"))


def test_float16_overflow_raises_with_hint(tmp_path):
    crops, large = write_crops(tmp_path / "set", {"a": [1, 2]}), backbones.build("tiny_mobilenet")
    with torch.no_grad():
        large.network.classifier.bias += 1e6
    with pytest.raises(FramelightError, match="extract with float32"):
        extract(crops, large, FeatureStore(tmp_path / "features"))
    assert extract(crops, large, FeatureStore(tmp_path / "features"), "float32").sequences == {"a": 2}


def test_changed_image_is_another_entry(tiny, tmp_path):
    crops, store = write_crops(tmp_path / "set", {"a": [1, 2]}), FeatureStore(tmp_path / "features")
    first = extract(crops, tiny, store).key
    crops.sequences["a"].images[0].write_bytes(crops.sequences["a"].images[1].read_bytes())
    assert extract(Crops(tmp_path / "set"), tiny, store).key != first


def test_unknown_names_and_damaged_entries(crops, tiny, whole):
    entry = extract(crops, tiny, whole)
    with pytest.raises(InputError, match="did you mean embeddings"):
        entry.read("a_left", "embedings")
    with pytest.raises(InputError, match="a_left"):
        entry.frames("a_lefft")
    with pytest.raises(InputError, match="float16"):
        extract(crops, tiny, whole, "float61")


def test_damaged_entry_raises_with_hint(tiny, tmp_path):
    crops, store = write_crops(tmp_path / "set", {"a": [1]}), FeatureStore(tmp_path / "features")
    entry = extract(crops, tiny, store)
    (entry.path / "a" / "scores.npy").write_bytes(b"short")
    with pytest.raises(FramelightError, match="remove"):
        entry.read("a", "scores")
    whole = json.loads((entry.path / "entry.json").read_text())
    for damaged in ({"key": entry.key}, {**whole, "engine": None}, {**whole, "engine": "torch"}, []):
        (entry.path / "entry.json").write_text(json.dumps(damaged))
        with pytest.raises(FramelightError, match="remove"):
            store.entry(entry.key)


def test_old_temporary_files_are_removed(tiny, tmp_path):
    crops, store = write_crops(tmp_path / "set", {"a": [1]}), FeatureStore(tmp_path / "features")
    folder = store.root / store.key(tiny, "0" * 16, "float16")
    for age, name in ((0, ".a.new.aside"), (7200, ".a.old.aside")):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (time.time() - age,) * 2)
    extract(crops, tiny, store, images="0" * 16)
    assert [path.name for path in folder.glob(".*")] == [".a.new.aside"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_store(crops, tiny, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FramelightError, match="cannot write"):
        extract(crops, tiny, FeatureStore(tmp_path / "features"))


def test_store_that_is_a_file(crops, tiny, tmp_path):
    (tmp_path / "features").write_text("")
    with pytest.raises(FramelightError, match="cannot write"):
        extract(crops, tiny, FeatureStore(tmp_path / "features"), images="0" * 16)


@pytest.mark.benchmark
def test_throughput(tmp_path):
    crops = write_crops(tmp_path / "set", {"a": range(1, 2001)}, size=112)
    start = time.perf_counter()
    extract(crops, backbones.load("tiny_resnet@random"), FeatureStore(tmp_path / "features"))
    assert 2000 / (time.perf_counter() - start) > 1000
