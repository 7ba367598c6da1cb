"""Names of videos in another Unicode form or encoding, and folders that cannot be listed."""

import os
import unicodedata

import pytest

from harness.data.check import check_dataset, render
from harness.data.fingerprint import dataset_digest
from harness.data.registry import open_dataset
from harness.data.splits import labels_fingerprint
from harness.utils.errors import InputError
from tests.helpers.affwild2_checks import ids, messages, move
from tests.helpers.data_folders import ANNOTATIONS, AU, EXPR, TEST_LISTS, VA, annotate, crops, small_abaw3, write

NFC, NFD = "café", unicodedata.normalize("NFD", "café")


def renamed(root, crop_name, annotation_name, list_name):
    """The small set with `video3` named in three forms of one name."""
    small_abaw3(root)
    move(root, "cropped/video3", f"cropped/{crop_name}")
    for challenge in (EXPR, VA, AU):
        folder = f"{ANNOTATIONS}/{challenge}/Validation_Set"
        move(root, f"{folder}/video3.txt", f"{folder}/{annotation_name}.txt")
    path = root / ANNOTATIONS / "MTL_Challenge/validation_set.txt"
    path.write_text(path.read_text().replace("video3/", f"{list_name}/"))
    write(root / TEST_LISTS["expr"], list_name)
    return root


IDS_BY_FORM = {
    NFC: ("56a85cadf8a0308f", "3d19b9e439be", "0fc8ae985bc2"),
    NFD: ("26ad1777b526e1f3", "dc31a041afba", "9fea21201035"),
}
"""Digests from before Unicode forms were compared."""


@pytest.mark.parametrize(("crop_name", "other"), [(NFC, NFD), (NFD, NFC), (NFD, NFD), (NFC, NFC)])
def test_composed_and_decomposed_names_are_one_video(tmp_path, crop_name, other):
    root = renamed(tmp_path, crop_name, other, other)
    if (root / "cropped" / (NFC if crop_name == NFD else NFD)).exists():
        pytest.skip("the file system composes names")
    assert ids(root) == (IDS_BY_FORM[crop_name][0], *IDS_BY_FORM[other][1:])
    dataset = open_dataset(root)
    assert sorted(dataset.sequences) == sorted([crop_name, "7-30-640x480", "video1_left", "video2"])
    assert sorted(dataset.sequence_names("va", "validation")) == sorted([crop_name, "video2"])
    assert sorted(dataset.labels("mtl", "validation").sequences) == sorted([crop_name, "video2"])
    assert dataset.sequence_names("expr", "test") == (crop_name,)
    assert dataset.sequences[crop_name].images[0] == root / "cropped" / crop_name / "00001.jpg"
    report = check_dataset(root, images=False)
    assert [p for p in report.problems if p.kind == "no crop"] == [] and report.tests[0].cropped == 1
    assert {counts.coverage for counts in report.counts} == {1.0}


@pytest.mark.parametrize("form", [NFC, NFD])
def test_order_of_the_annotation_files_is_that_of_their_names(tmp_path, form):
    root = renamed(tmp_path, form, form, form)
    annotate(root, VA, "Validation_Set", "cafz", ["0,0"])
    names = [path.name.removesuffix(".txt") for path in (root / ANNOTATIONS / VA / "Validation_Set").iterdir()]
    assert open_dataset(root).labels("va", "validation").sequences == tuple(sorted(names))


def test_names_of_videos_without_crops_are_those_of_lists(tmp_path):
    root = renamed(tmp_path, "video3", NFD, NFC)
    write(root / TEST_LISTS["expr"], f"{NFC}8", f"{NFD}8", f"{NFD}9")
    dataset = open_dataset(root)
    assert dataset.sequence_names("expr", "test") == (f"{NFC}8", f"{NFD}9")
    assert {NFD, f"{NFC}8", f"{NFD}9"} < set(dataset.sequences) and NFC not in dataset.sequences
    assert NFD in dataset.labels("mtl", "validation").sequences


def test_names_that_differ_only_by_their_form_are_errors(tmp_path):
    root = renamed(tmp_path, NFC, NFC, NFC)
    crops(root, NFD, [1])
    annotate(root, VA, "Validation_Set", NFD, ["0,0"])
    if len(list((root / "cropped").iterdir())) == 4:
        pytest.skip("the file system composes names")
    assert [severity for severity, _, _ in messages(root, "two folders")] == ["error"]
    assert [severity for severity, _, _ in messages(root, "two annotations")] == ["error"]


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"vid\xe9o")
    small_abaw3(tmp_path)
    try:
        move(tmp_path, "cropped/video3", f"cropped/{name}")
    except OSError:
        pytest.skip("the file system has names in UTF-8 only")
    for challenge in (EXPR, VA, AU):
        folder = f"{ANNOTATIONS}/{challenge}/Validation_Set"
        move(tmp_path, f"{folder}/video3.txt", f"{folder}/{name}.txt")
    dataset = open_dataset(tmp_path)
    assert dataset_digest(dataset) != dataset_digest(open_dataset(small_abaw3(tmp_path / "ordinary")))
    assert labels_fingerprint(dataset, "va")
    assert dataset.labels("va", "validation").sequences == ("video2", name)
    (tmp_path / "cropped" / name / "00002.jpg").write_bytes(b"no image")
    text = render(check_dataset(tmp_path))
    assert "vid\\udce9o/00002.jpg" in text and text.encode()


def test_folders_that_cannot_be_listed_are_errors_and_do_not_end_the_check(tmp_path):
    small_abaw3(tmp_path)
    locked = [tmp_path / "cropped/video2", tmp_path / ANNOTATIONS / AU / "Train_Set"]
    for folder in locked:
        folder.chmod(0)
    try:
        if os.access(locked[0], os.R_OK):
            pytest.skip("this user reads every folder")
        errors = [where for _, where, _ in messages(tmp_path, "unreadable")]
        assert errors == [f"{ANNOTATIONS}/{AU}/Train_Set", "cropped/video2"] and messages(tmp_path, "no crop") == []
        with pytest.raises(InputError, match="cropped/video2: cannot be listed: Permission denied"):
            dataset_digest(open_dataset(tmp_path))
        (tmp_path / "cropped").chmod(0)
        with pytest.raises(InputError, match="cropped: cannot be listed: Permission denied"):
            open_dataset(tmp_path)
    finally:
        for folder in (tmp_path / "cropped", *locked):
            folder.chmod(0o755)


def test_name_that_cannot_be_stored_is_an_error_of_the_check(tmp_path):
    small_abaw3(tmp_path)
    crops(tmp_path, "a\\b", [1])
    ((severity, where, _),) = messages(tmp_path, "video name")
    assert (severity, where) == ("error", "cropped/a\\b")
