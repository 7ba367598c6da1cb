"""Hashes of a job's files are written with them, and what differs from them is found."""

import json
import os

import pytest

from backbones.regular_files import hash_file
from harness.jobs.file_hashes import describe_alteration, find_altered_files, write_hashes
from harness.jobs.job_folder import JobFolder
from tests.helpers.hostile_records import DEEP
from tests.helpers.other_users import as_user, needs_root, shared_folder


@pytest.fixture
def folder(tmp_path):
    for name in ("reported.npz", "statistics.npz", "record.json"):
        (tmp_path / name).write_text(f"content of {name}")
    (tmp_path / "pictures").mkdir()
    write_hashes(tmp_path)
    return tmp_path


def replaced(path, text):
    """The file has another content of the same size and modification time."""
    before = path.stat()
    path.write_text(text.ljust(before.st_size)[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_every_file_is_hashed_but_no_folder(folder):
    states = json.loads((folder / "hashes.json").read_text())["files"]
    assert sorted(states) == ["record.json", "reported.npz", "statistics.npz"]
    assert states["record.json"][:2] == [hash_file(folder / "record.json"), len("content of record.json")]


@pytest.mark.parametrize("name", ["reported.npz", "statistics.npz", "record.json"])
def test_another_content_is_found(folder, name):
    assert find_altered_files(folder) == []
    (folder / name).write_text("planted")
    assert find_altered_files(folder) == [name]


def test_content_of_the_same_size_and_time_is_found_when_everything_is_hashed(folder):
    replaced(folder / "reported.npz", "planted")
    assert find_altered_files(folder) == []
    assert find_altered_files(folder, full=True) == ["reported.npz"]


def test_a_hash_that_is_known_is_compared(folder):
    replaced(folder / "statistics.npz", "planted")
    known = {"statistics.npz": hash_file(folder / "statistics.npz")}
    assert find_altered_files(folder, known=known) == ["statistics.npz"]


def test_a_copy_with_another_time_is_hashed_once(folder, monkeypatch):
    os.utime(folder / "reported.npz", ns=(1, 1))
    assert find_altered_files(folder) == []
    monkeypatch.setattr("harness.jobs.file_hashes.hash_file", None)
    assert find_altered_files(folder) == []


def test_an_altered_file_stays_altered_when_another_one_was_touched(folder):
    (folder / "record.json").write_text("planted")
    os.utime(folder / "reported.npz", ns=(1, 1))
    assert find_altered_files(folder) == find_altered_files(folder) == ["record.json"]


def test_missing_files_are_found(folder):
    (folder / "reported.npz").unlink()
    assert find_altered_files(folder) == find_altered_files(folder, full=True) == ["reported.npz"]
    assert describe_alteration(folder / "reported.npz", "the training") == f"{folder / 'reported.npz'} is missing"


def test_a_folder_of_an_earlier_version_cannot_be_compared(tmp_path):
    assert find_altered_files(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 1}', '{"version": 1, "files": {"x": ["", 1]}}', "\xff", DEEP], ids=range(6)
)
def test_damaged_hashes_are_named(folder, text):
    (folder / "hashes.json").write_bytes(text.encode("latin-1"))
    assert find_altered_files(folder) == ["hashes.json"]


def test_hashes_in_a_named_pipe_are_named(folder):
    (folder / "hashes.json").unlink()
    os.mkfifo(folder / "hashes.json")
    assert find_altered_files(folder) == ["hashes.json"]


def test_hashes_of_linked_files_are_taken_over(folder, tmp_path_factory, monkeypatch):
    job = tmp_path_factory.mktemp("job")
    for name in ("reported.npz", "hashes.json"):
        os.link(folder / name, job / name)
    (job / "record.json").write_text("its own")
    hashed = []
    monkeypatch.setattr("harness.jobs.file_hashes.hash_file", lambda path: hashed.append(path.name) or "0" * 64)
    write_hashes(job)
    assert hashed == ["record.json"] and JobFolder(job).hashes.stat().st_ino != JobFolder(folder).hashes.stat().st_ino
    assert find_altered_files(folder) == []


@needs_root
def test_a_file_of_another_user_that_may_not_be_read_is_not_called_modified():
    with shared_folder() as shared:
        (shared / "reported.npz").write_text("predictions")
        write_hashes(shared)
        (shared / "reported.npz").chmod(0o600)

        def describe():
            [name] = find_altered_files(shared, full=True)
            return describe_alteration(shared / name, "the training").endswith("cannot be read (no permission)")

        as_user(4001, describe)
