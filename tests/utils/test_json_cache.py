import json

import pytest

from harness.utils.json_cache import JsonCache


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features" / "values.json"


def put(path, values, **options):
    cache = JsonCache(path, **options)
    for key, value in values.items():
        cache.set(key, value)
    cache.save()


def test_values_are_read_back(path):
    put(path, {"a": [1.5, 0], "none": None})
    cache = JsonCache(path)
    assert cache.get("a") == [1.5, 0] and "none" in cache and cache.get("none") is None and "b" not in cache
    assert json.loads(path.read_text()) == {"a": [1.5, 0], "none": None}


def test_file_with_a_version_holds_values_under_a_name(path):
    put(path, {"a": "1"}, version=1, name="digests")
    assert path.read_text() == '{\n "digests": {\n  "a": "1"\n },\n "version": 1\n}\n'
    assert JsonCache(path, version=1, name="digests").get("a") == "1"
    assert "a" not in JsonCache(path, version=2, name="digests")


@pytest.mark.parametrize("text", ["", "{", "[]", '"a"', '{"version": 1}', '{"version": 1, "digests": 3}'])
def test_damaged_file_is_an_empty_cache(path, text):
    path.parent.mkdir()
    path.write_text(text)
    cache = JsonCache(path, version=1, name="digests")
    assert cache.get("a") is None and "version" not in cache
    put(path, {"a": "1"}, version=1, name="digests")
    assert JsonCache(path, version=1, name="digests").get("a") == "1"


def test_concurrent_values_are_kept(path):
    first, second = JsonCache(path), JsonCache(path)
    first.set("a", 1)
    second.set("b", 2)
    first.save()
    second.save()
    assert json.loads(path.read_text()) == {"a": 1, "b": 2}


def test_unchanged_cache_is_not_written(path):
    JsonCache(None).save()
    JsonCache(path).save()
    assert not path.exists()
    put(path, {"a": 1})
    path.unlink()
    cache = JsonCache(path)
    put(path, {"a": 1})
    before = path.stat().st_mtime_ns
    put(path, {"a": 1})
    assert path.stat().st_mtime_ns == before and "a" not in cache
