"""Names of image files as other systems and programs write them."""

import os
import re
import unicodedata

import pytest

from harness.data.check import check_dataset
from harness.data.image_paths import ImagePaths
from harness.data.registry import open_dataset, open_stills
from harness.utils.errors import InputError
from tests.helpers.data_folders import image_bytes, table
from tests.helpers.permissions import ordinary_user, public_tmp
from tests.helpers.still_folders import IMAGES, affectnet_2017, row_2017

__all__ = ["public_tmp"]

NFC, NFD = "Jos\u00e9", unicodedata.normalize("NFD", "Jos\u00e9")


@pytest.fixture
def folder(tmp_path):
    for name in (f"a/{NFD}.jpg", f"{NFD}s/1.jpg", "a/1.jpg", "a/back\\slash.jpg", "Upper/2.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(image_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/1.jpg", "a/1.jpg"),
        ("./a/1.jpg", "a/1.jpg"),
        ("a\\1.jpg", "a/1.jpg"),
        (".\\a\\1.jpg", "a/1.jpg"),
        ("a/back\\slash.jpg", "a/back\\slash.jpg"),
        (f"a/{NFC}.jpg", f"a/{NFD}.jpg"),
        (f"a\\{NFC}.jpg", f"a/{NFD}.jpg"),
        (f"{NFC}s/1.jpg", f"{NFD}s/1.jpg"),
        (f"a/../{NFC}s/1.jpg", f"{NFD}s/1.jpg"),
        ("A/1.jpg", None),
        ("", None),
        ("a", None),
        ("x" * 3000, None),
        ("é" * 3000, None),
        ("a/é/../1.jpg", None),
        ("/é/1.jpg", None),
    ],
)
def test_find(folder, name, file):
    found = ImagePaths(folder).find(name)
    assert found == (file and folder / file) or os.path.samefile(found, folder / file)


def test_links_folders_and_folders_that_cannot_be_listed(folder, public_tmp):
    (folder / "b.jpg").mkdir()
    (folder / "c.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "d.jpg").symlink_to(folder / "a/1.jpg")
    found = {name: ImagePaths(folder).locate(name) for name in ("b.jpg", "c.jpg", "d.jpg", "a/../d.jpg", "a//1.jpg")}
    assert found == {"b.jpg": None, "c.jpg": None, "d.jpg": "d.jpg", "a/../d.jpg": "a/../d.jpg", "a//1.jpg": "a//1.jpg"}
    (public_tmp / "s").mkdir()
    (public_tmp / "s/1.jpg").touch()
    (public_tmp / "s").chmod(0o711)
    with ordinary_user():
        assert ImagePaths(public_tmp).locate("s/1.jpg") == "s/1.jpg" and ImagePaths(public_tmp).locate("s/2") is None


def test_each_folder_is_listed_once(folder, monkeypatch):
    """A list has 290,000 files, and each missing one was explained by another look at all of them."""
    calls, entries = [], {str(folder), *map(str, folder.iterdir())}
    for module, name in ((os, "scandir"), (os, "listdir"), (os.path, "isfile"), (os.path, "isdir")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda path, original=original: calls.append(path) or original(path))
    paths = ImagePaths(folder)
    assert all(paths.find("a/1.jpg") for _ in range(100)) and len(calls) == 1
    assert not any(paths.find(f"a/{number}.png") for number in range(100)) and len(calls) == 1
    assert paths.explain("a/1.png") and len(calls) < 10
    calls.clear()
    assert not any(paths.explain(f"none{number}") for number in range(20))
    assert sum(str(call) in entries for call in calls) <= len(entries)


def test_exact_names_are_preferred_and_unclear_ones_not_guessed(folder):
    (folder / f"a/{NFC}.jpg").write_bytes(image_bytes())
    assert ImagePaths(folder).find(f"a/{NFC}.jpg").name == f"{NFC}.jpg"
    assert ImagePaths(folder).find(f"a/{NFD}.jpg").name == f"{NFD}.jpg"
    (folder / "a/e\u0323\u0302.jpg").write_bytes(image_bytes())
    (folder / "a/\u1eb9\u0302.jpg").write_bytes(image_bytes())
    assert ImagePaths(folder).find("a/\u1ec7.jpg") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("A/1.JPG", "did you mean a/1.jpg?"),
        ("upper\\2.jpg", "did you mean Upper/2.JPG?"),
        ("a/1.png", "did you mean a/1.jpg?"),
        ("a/1", "did you mean a/1.jpg?"),
        ('"a/1.jpg"', "did you mean a/1.jpg?"),
        ("a%2F1.jpg", "did you mean a/1.jpg?"),
        ("1.jpg", "did you mean "),
        ("data/a/1.jpg", "did you mean a/1.jpg?"),
        (
            "C:\\faces\\a\\1.jpg",
            "a path on a Windows computer; write paths relative to the folder of the table, here a/1.jpg",
        ),
        ("\\\\server\\a\\1.jpg", "a path on a Windows computer; .*, here a/1.jpg"),
        ("D:/none.jpg", "a path on a Windows computer; write paths relative to the folder of the table$"),
        ("/home/me/a/1.jpg", "^write paths relative to the folder of the table, here a/1.jpg"),
        ("file:///x/a/1.jpg", "^write paths relative to the folder of the table, here a/1.jpg"),
        ("file://[x/a/1.jpg", "^write paths relative to the folder of the table, here a/1.jpg"),
        ("FILE://localhost/x/a%2F1.jpg", ", here a/1.jpg"),
        ("https://[x/1.jpg", "this is an address"),
        ("a/\0.jpg", "^$"),
        ("https://example.org/a/1.jpg", "this is an address; download the image"),
        ("nothing.jpg", "^$"),
        ("a", "this is a folder"),
        ("x" * 3000, "it cannot be read: File name too long"),
        ("a/1.jpg/2.jpg", ""),
        ("", "the cell is empty"),
    ],
)
def test_explain(folder, name, words):
    assert ImagePaths(folder).find(name) is None
    assert re.search(words.replace("?", r"\?"), ImagePaths(folder).explain(name)), ImagePaths(folder).explain(name)


def test_table_of_another_system_is_read_and_a_missing_image_explained(folder):
    rows = [f"a/{NFC}.jpg,anger,ann,train", "a\\1.jpg,fear,bob,validation", "upper/2.jpg,fear,bob,validation"]
    root = table(folder, "image,expression,subject,split", *rows, images=False)
    dataset = open_dataset(root)
    assert dataset.images.exist.tolist() == [True, True, False] and dataset.images.paths[0].name == f"{NFD}.jpg"
    assert dataset.stills("train").images == (folder / f"a/{NFD}.jpg",)
    (problem,) = [problem for problem in check_dataset(root).errors if problem.kind == "missing image"]
    assert problem.line == 4 and problem.message == "no image file upper/2.jpg; did you mean Upper/2.JPG?"
    table(folder, "image,expression,subject,split", rows[2], images=False)
    said = r"none of its 1 image files exists .*; did you mean Upper/2.JPG\?"
    with pytest.raises(InputError, match=said):
        open_dataset(root).stills("validation")
    (problem,) = [problem for problem in check_dataset(root).errors if problem.kind == "missing image"]
    assert re.search(said, problem.message)


def test_lists_of_affectnet_are_read_as_tables(tmp_path):
    names = (f"{NFC}s/1.jpg", "a\\1.jpg", "b.jpg", "c.jpg")
    affectnet_2017(tmp_path, train=[row_2017(name, 1) for name in names])
    for file in (tmp_path / IMAGES).rglob("*.jpg"):
        file.unlink()
    (tmp_path / IMAGES / f"{NFC}s").rmdir()
    files = [tmp_path / IMAGES / name for name in (f"{NFD}s/1.jpg", "a/1.jpg")]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(image_bytes())
    (tmp_path / IMAGES / "b.jpg").mkdir()
    (tmp_path / IMAGES / "c.jpg").symlink_to(tmp_path / "nowhere.jpg")
    source = open_stills(tmp_path)
    assert list(source.stills("train").images) == files
    assert source.excluded_counts("train") == {"no image file": 2}


def test_one_image_in_two_spellings_is_one_unit(folder):
    rows = ["a/1.jpg,anger,train", "./a/1.jpg,anger,validation", f"a/{NFC}.jpg,fear,train", f"a\\{NFD}.jpg,fear,train"]
    report = check_dataset(table(folder, "image,expression,split", *rows, images=False))
    assert [(problem.kind, problem.line) for problem in report.errors] == [("leak", 3)]
    assert [problem.line for problem in report.warnings if problem.kind == "duplicate row"] == [3, 5]
