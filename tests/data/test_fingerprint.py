import dataclasses
import json
import os

import pytest

from harness.data.check import check_dataset
from harness.data.fingerprint import DatasetFingerprint, data_digest, dataset_digest, digest_cache, sequence_digest
from harness.data.registry import open_dataset
from harness.utils.errors import InputError
from tests.helpers.data_folders import crops, image_bytes, small_abaw3
from tests.helpers.permissions import ordinary_user, public_tmp
from tests.helpers.records import record

__all__ = ["public_tmp"]


def digests(path):
    return json.loads(path.read_text())["digests"]


def test_digest_depends_on_content_only(tmp_path):
    here, there = (open_dataset(small_abaw3(tmp_path / name)) for name in ("here", "there"))
    assert dataset_digest(here) == dataset_digest(there)
    crops(tmp_path / "there", "video2", [3], shade=121)
    assert dataset_digest(here) != dataset_digest(there)
    assert dataset_digest(here, names=["video3"]) == dataset_digest(there, names=["video3"])


def test_removed_or_renamed_crop_changes_the_digest(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path))
    found = {dataset_digest(dataset)}
    (tmp_path / "cropped/video2/00005.jpg").rename(tmp_path / "cropped/video2/00006.jpg")
    found.add(dataset_digest(dataset))
    (tmp_path / "cropped/video2/00006.jpg").unlink()
    found.add(dataset_digest(dataset))
    assert len(found) == 3


def test_unchanged_images_are_not_read_again(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path / "data"))
    path = tmp_path / "store/digests.json"
    cache = digest_cache(path)
    first = sequence_digest(dataset.sequences["video2"], cache)
    cache.save()
    assert list(digests(path).values()) == [first]
    path.write_text(path.read_text().replace(first, "from the cache"))
    assert sequence_digest(dataset.sequences["video2"], digest_cache(path)) == "from the cache"


def test_changed_image_of_the_same_size_and_date_is_read_again(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path / "data"))
    cache, path = tmp_path / "digests.json", tmp_path / "data/cropped/video2/00001.jpg"
    before, stat = dataset_digest(dataset, cache), path.stat()
    content = bytearray(image_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size and path.stat().st_mtime_ns == stat.st_mtime_ns
    assert dataset_digest(dataset, cache) != before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "digests": [1]}'])
def test_broken_cache_file_is_ignored(tmp_path, content):
    dataset = open_dataset(small_abaw3(tmp_path / "data"))
    cache = tmp_path / "digests.json"
    cache.write_text(content)
    assert dataset_digest(dataset, cache) == dataset_digest(dataset)
    assert len(digests(cache)) == 4


def test_concurrent_writers_keep_all_entries(tmp_path):
    dataset = open_dataset(small_abaw3(tmp_path / "data"))
    one, two = digest_cache(tmp_path / "digests.json"), digest_cache(tmp_path / "digests.json")
    sequence_digest(dataset.sequences["video2"], one)
    sequence_digest(dataset.sequences["video3"], two)
    one.save()
    two.save()
    assert len(digests(tmp_path / "digests.json")) == 2


def test_missing_image_raises(tmp_path):
    sequence = open_dataset(small_abaw3(tmp_path)).sequences["video2"]
    sequence.images[0].unlink()
    with pytest.raises(InputError, match=r"00001\.jpg: cannot be read"):
        sequence_digest(sequence)


@pytest.mark.parametrize("kind", ["broken link", "link to itself", "folder", "named pipe"])
def test_unreadable_image_counts_as_missing(tmp_path, kind):
    dataset, cache = open_dataset(small_abaw3(tmp_path / "data")), tmp_path / "digests.json"
    intact = dataset_digest(dataset)
    crop = dataset.sequences["video2"].images[1]
    crop.unlink()
    make = {"folder": crop.mkdir, "named pipe": lambda: os.mkfifo(crop)}
    make.get(kind, lambda: crop.symlink_to(crop if kind == "link to itself" else "/nowhere.jpg"))()
    assert check_dataset(dataset.root).crops == 19
    assert dataset_digest(dataset, cache) != intact and len(digests(cache)) == 3


def test_digest_without_a_forbidden_image_is_not_cached(public_tmp):
    dataset, cache = open_dataset(small_abaw3(public_tmp / "data")), digest_cache(public_tmp / "digests.json")
    sequence = dataset.sequences["video2"]
    intact = sequence_digest(sequence)
    sequence.images[1].chmod(0)
    with ordinary_user():
        assert sequence_digest(sequence, cache) != intact
    if os.geteuid() == 0:
        assert sequence_digest(sequence, cache) == intact


def test_record_matches_only_its_images_and_annotations(tmp_path):
    roots = small_abaw3(tmp_path / "here"), small_abaw3(tmp_path / "there")
    first, second = (DatasetFingerprint(open_dataset(root)) for root in roots)
    own = record(task="expr", data_digest=data_digest(first.images, first.labels("expr")))
    assert first.matches(own) and second.matches(own)
    assert not first.matches(dataclasses.replace(own, data_digest="another"))
    [*_, annotation] = sorted(roots[0].glob("*Annotations/EXPR*/Train_Set/*.txt"))
    annotation.write_text(annotation.read_text() + "0\n")
    assert not DatasetFingerprint(open_dataset(roots[0])).matches(own)
    crops(roots[1], "video2", [3], shade=121)
    assert not DatasetFingerprint(open_dataset(roots[1])).matches(own)
