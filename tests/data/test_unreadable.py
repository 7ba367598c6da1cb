"""Parts of a data folder that the user may not read are named, and the rest is checked."""

import pytest

from harness.data.check import check_dataset, render
from harness.utils.errors import InputError
from tests.helpers.data_folders import ANNOTATIONS, VA, small_abaw3, table
from tests.helpers.permissions import ordinary_user, public_tmp

__all__ = ["public_tmp"]


def check(root, *hidden):
    """Check a folder, after another check has imported and opened all that it needs, without some of its parts."""
    render(check_dataset(root))
    for path in hidden:
        path.chmod(0)
    with ordinary_user():
        report = check_dataset(root)
    return report, {(problem.severity, problem.file): problem.message for problem in report.problems}


def test_annotation_and_crop_of_a_video(public_tmp):
    root = small_abaw3(public_tmp / "d")
    annotation = root / ANNOTATIONS / VA / "Train_Set" / "video1_left.txt"
    crop = root / "cropped" / "video2" / "00002.jpg"
    report, problems = check(root, annotation, crop)
    assert "Permission denied" in problems["error", annotation] and "Permission denied" in problems["warning", crop]
    assert len(report.errors) == 1 and {counts.task for counts in report.counts} == {"expr", "va", "au", "mtl"}


def test_images_of_a_table(public_tmp):
    rows = ("a/1.jpg,anger,train", "b/2.jpg,fear,train", "b/3.jpg,fear,validation")
    root = table(public_tmp, "image,expression,split", *rows)
    report, problems = check(root, root / "a")
    assert problems["error", root / "labels.csv"] == "no image file a/1.jpg; it cannot be read: Permission denied"
    (root / "b").chmod(0)
    with ordinary_user(), pytest.raises(InputError, match=r"none of its 3 .*; it cannot be read: Permission denied"):
        check_dataset(root)
