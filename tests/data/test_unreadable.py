"""Parts of a data folder that the user may not read are named, and the rest is checked."""

import pytest

from harness.data.check import check_dataset, render
from harness.data.registry import open_dataset, open_stills
from harness.utils.errors import InputError
from tests.helpers.data_folders import ANNOTATIONS, VA, small_abaw3, table, write
from tests.helpers.permissions import ordinary_user, public_tmp
from tests.helpers.still_folders import affectnet_2021, image, vggface2

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
        open_dataset(root).image_exists  # noqa: B018


def test_folder_of_crops(public_tmp):
    root = small_abaw3(public_tmp / "d")
    folder = root / "cropped" / "video2"
    report, problems = check(root, folder)
    assert problems["error", folder] == "cannot be listed: Permission denied"
    assert len(report.errors) == 1 and report.crops == 15


def test_identity_of_a_split(public_tmp):
    root = vggface2(public_tmp)
    for hidden in sorted((root / "train").iterdir()):
        hidden.chmod(0o755)
        report, problems = check(root, hidden)
        assert problems["error", hidden] == "cannot be listed: Permission denied"
        assert [(counts.split, counts.subjects) for counts in report.counts] == [("train", 1), ("test", 1)]
        with ordinary_user(), pytest.raises(InputError, match=f"{hidden.name}: cannot be listed"):
            open_stills(root).stills("train")
        hidden.chmod(0o755)


def test_split_of_people(public_tmp):
    root = vggface2(public_tmp)
    for hidden, read in ((root / "test", "train"), (root / "train", "test")):
        hidden.chmod(0o755)
        check_dataset(root)
        hidden.chmod(0)
        if read == "train":
            with ordinary_user():
                report = check_dataset(root)
                assert len(open_stills(root).stills("train")) > 0
            assert [(problem.file, problem.message) for problem in report.errors] == [
                (hidden, "cannot be listed: Permission denied")
            ]
            assert [counts.split for counts in report.counts] == ["train"]
        else:
            with (
                ordinary_user(),
                pytest.raises(InputError, match=f"layout; {hidden} cannot be read: Permission denied"),
            ):
                check_dataset(root)
        hidden.chmod(0o755)


def test_split_of_expressions(public_tmp):
    for name in ("train/happy/1", "train/sad/2", "test/happy/4", "test/sad/5"):
        image(public_tmp / f"{name}.jpg")
    report, problems = check(public_tmp, public_tmp / "test")
    assert problems["error", public_tmp / "test"] == "cannot be listed: Permission denied" and len(report.errors) == 1
    assert report.images == 2 and report.layout.startswith("folders of expressions")


@pytest.mark.parametrize("opened", [open_dataset, open_stills, check_dataset])
def test_root_and_folder_of_numbers(public_tmp, opened):
    for name in ("train/1/train_00001_aligned", "train/2/train_00002_aligned"):
        image(public_tmp / f"d/{name}.jpg")
    opened(public_tmp / "d")
    (public_tmp / "d/train/2").chmod(0)
    with ordinary_user(), pytest.raises(InputError, match="its folders 1, 2 are numbers"):
        opened(public_tmp / "d")
    (public_tmp / "d").chmod(0)
    with ordinary_user(), pytest.raises(InputError, match=f"layout; {public_tmp}/d cannot be read: Permission denied"):
        opened(public_tmp / "d")


def test_split_without_images_and_annotations_of_affectnet(public_tmp):
    root = vggface2(public_tmp / "v")
    for path in (root / "test").rglob("*.jpg"):
        path.unlink()
    report = check_dataset(root)
    assert [counts.split for counts in report.counts] == ["train"]
    assert "no image in any of its 1 folders" in report.errors[0].message
    root = affectnet_2021(public_tmp / "a")
    report, problems = check(root, root / "val_set")
    assert problems["error", root / "val_set/images"] == "cannot be listed: Permission denied"
    (root / "val_set").chmod(0o755)
    hidden = root / "val_set" / "annotations"
    report, problems = check(root, hidden)
    assert problems["error", hidden] == "cannot be listed: Permission denied"
    assert [counts.split for counts in report.counts] == ["train"]


def test_folder_of_an_expression(public_tmp):
    for name in ("train/happy/1", "train/sad/2", "train/angry/3", "val/happy/4", "val/sad/5"):
        image(public_tmp / f"{name}.jpg")
    hidden = public_tmp / "train" / "angry"
    report, problems = check(public_tmp, hidden)
    assert problems["error", hidden] == "cannot be listed: Permission denied"
    assert report.images == 4
    with ordinary_user(), pytest.raises(InputError, match="angry: cannot be listed"):
        open_dataset(public_tmp).labels("expr", "train")


def test_images_of_raf_db(public_tmp):
    write(public_tmp / "basic/EmoLabel/list_patition_label.txt", "train_00001.jpg 1")
    image(public_tmp / "basic/Image/aligned/train_00001_aligned.jpg")
    check_dataset(public_tmp)
    (public_tmp / "basic/Image").chmod(0)
    with ordinary_user(), pytest.raises(InputError, match="basic/Image/aligned: cannot be read: Permission denied"):
        check_dataset(public_tmp)


def test_links_that_lead_back_to_themselves_hide_nothing(tmp_path):
    root = small_abaw3(tmp_path / "d")
    for folder in (root, root / "cropped", root / "cropped" / "video2", root / ANNOTATIONS / VA / "Train_Set"):
        (folder / "loop").symlink_to(folder / "loop")
    report = check_dataset(root)
    assert report.crops == 20 and report.errors == ()
    root = vggface2(tmp_path / "v")
    (root / "train" / "loop").symlink_to(root / "train" / "loop")
    assert [counts.subjects for counts in check_dataset(root).counts] == [2, 1]


def test_folders_near_one_in_no_layout(public_tmp):
    """Folders above a dataset often cannot be listed on computers that many people share."""
    root = public_tmp / "mine" / "data"
    hidden = root / "hidden"
    hidden.mkdir(parents=True)
    image(root / "1.jpg")
    with pytest.raises(InputError):
        check_dataset(root)
    hidden.chmod(0)
    root.parent.chmod(0o711)
    with ordinary_user(), pytest.raises(InputError, match="not in a supported layout; it has 1 image and no labels"):
        check_dataset(root)
