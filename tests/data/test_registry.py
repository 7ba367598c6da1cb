import os

import pytest

from harness.data.check import check_dataset
from harness.data.registry import open_dataset, open_stills
from harness.utils.errors import InputError
from tests.helpers.data_folders import small_abaw3, table, write
from tests.helpers.still_folders import affectnet_2017, affectnet_2021, image, vggface2

ROWS = ("1.jpg,anger,ann,train", "2.jpg,fear,ann,train", "3.jpg,,bob,val", "4.jpg,fear,bob,test")


def test_image_table_gives_the_splits_it_has(tmp_path):
    source = open_stills(table(tmp_path / "mine", "image,expression,subject,split", *ROWS))
    assert source.name == "mine" and source.splits() == ("train", "validation", "test")
    assert source.stills("test").subjects == ("bob",) and source.stills("validation").expression.tolist() == [-1]
    (tmp_path / "mine/2.jpg").unlink()
    again = open_stills(tmp_path / "mine/labels.csv")
    assert len(again.stills("train")) == 1 and again.excluded_counts("train") == {"no image file": 1}
    assert again.excluded_counts("test") == {}
    with pytest.raises(InputError, match="unknown split of .*labels.csv 'trian'; did you mean train"):
        again.stills("trian")


def test_seed_splits_a_table_that_has_no_splits(tmp_path):
    root = table(tmp_path, "image,subject", *(f"{n}.jpg,s{n // 2}" for n in range(40)))
    held = [set(open_stills(root, seed).stills("validation").subjects) for seed in (0, 0, 1)]
    assert len(held[0]) == 4 and held[0] == held[1] != held[2]
    assert not held[0] & set(open_stills(root).stills("train").subjects)


@pytest.mark.parametrize("make", [vggface2, affectnet_2017, affectnet_2021])
def test_two_copies_of_a_folder_have_one_digest(tmp_path, make):
    here, there = (open_stills(make(tmp_path / name)).stills("train") for name in ("here", "there"))
    assert here.digest(tmp_path / "digests.json") == there.digest()


def test_unknown_stills_layout_raises(tmp_path):
    with pytest.raises(InputError, match="no such data folder: .*nowhere"):
        open_stills(tmp_path / "nowhere")
    (tmp_path / "train/empty").mkdir(parents=True)
    for root in (tmp_path, small_abaw3(tmp_path / "videos")):
        with pytest.raises(
            InputError, match=r"(?s)no still images in a supported layout.*an image table.*AffectNet of 2021.*VGGFace2"
        ):
            open_stills(root)


@pytest.mark.parametrize("make", [vggface2, affectnet_2017, affectnet_2021])
def test_run_on_backbone_stills_raises(tmp_path, make):
    with pytest.raises(InputError, match=r"only backbones can be trained on this layout \(framelight train-backbone\)"):
        open_dataset(make(tmp_path))


@pytest.mark.parametrize("opened", [open_dataset, open_stills, check_dataset])
def test_every_layout_is_in_the_list_of_known_ones(tmp_path, opened):
    with pytest.raises(InputError) as error:
        opened(tmp_path)
    for name in (
        "AffectNet of 2017",
        "AffectNet of 2021",
        "VGGFace2",
        "RAF-DB",
        "folders of expressions",
        "image table",
    ):
        assert name in str(error.value)


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("opened, lists", [(open_dataset, 2), (open_stills, 1)])
def test_layouts_are_listed_one_a_line(tmp_path, monkeypatch, columns, opened, lists):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(InputError) as error:
        opened(tmp_path)
    first, *lines = str(error.value).splitlines()
    assert first.endswith(" in a supported layout.") and lines[0] == "Supported:"
    items = [line for line in lines if line.startswith("  - ")]
    assert len(items) == len(set(items)) >= 4 and sum(line.startswith("Supported") for line in lines) == lists
    assert max(map(len, lines)) <= columns and all(line.startswith(("  - ", "    ", "Supported")) for line in lines)


def hint(root, opened=open_dataset):
    with pytest.raises(InputError) as error:
        opened(root)
    return str(error.value)


@pytest.mark.parametrize(
    "make, name", [(vggface2, "VGGFace2"), (affectnet_2021, "AffectNet of 2021"), (small_abaw3, "Aff-Wild2")]
)
def test_data_set_in_a_folder_nearby_is_named(tmp_path, make, name):
    make(tmp_path / "deep/data")
    for above in (tmp_path, tmp_path / "deep"):
        assert f"is {name}" in hint(above) and f"give {tmp_path}/deep/data" in hint(above)


def test_crops_without_labels_are_named(tmp_path):
    """As they are after `data crop` without labels, beside its contact sheet."""
    image(tmp_path / "contact_sheet.jpg")
    image(tmp_path / "cropped" / "talk" / "00001.jpg")
    with pytest.raises(InputError, match="cropped has crops without labels: write labels.csv beside it, with .* frame"):
        open_dataset(tmp_path)


def test_part_of_a_data_set_is_named(tmp_path):
    affectnet_2021(tmp_path / "data")
    assert "it is a part of AffectNet of 2021 (train_set/images/0.jpg" in hint(tmp_path / "data/train_set")
    assert f"give {tmp_path}/data." in hint(tmp_path / "data/val_set", check_dataset)


def test_folder_beside_a_data_set_is_no_part_of_it(tmp_path):
    (tmp_path / "mine").mkdir()
    small_abaw3(tmp_path / "theirs")
    assert "it is a part of" not in hint(tmp_path / "mine")
    assert "it is a part of Aff-Wild2" in hint(tmp_path / "theirs" / "cropped")


def test_data_that_are_not_read_are_named(tmp_path):
    write(tmp_path / "a/Automatically_annotated_file_list/automatically_annotated.csv", "subDirectory_filePath")
    assert "outputs of a network" in hint(tmp_path / "a") and "Manually_Annotated_file_lists" in hint(tmp_path / "a")
    write(tmp_path / "b/fer2013.csv", "emotion,pixels,Usage")
    assert "fer2013.csv holds pixels, not image files" in hint(tmp_path / "b", open_stills)
    write(tmp_path / "c/list.csv", "image,expression")
    assert "to read list.csv, give that file" in hint(tmp_path / "c")
    image(tmp_path / "d/1.jpg")
    assert "it has 1 image and no labels" in hint(tmp_path / "d", check_dataset)


@pytest.mark.parametrize("folders", [40, 1])
def test_search_for_a_layout_nearby_is_bounded(tmp_path, monkeypatch, folders):
    """Over a network, 70,000 listings for a hint would take minutes."""
    for number in range(40):
        (tmp_path / f"mine/all/data/{number % folders}/{number}").mkdir(parents=True)
    listed = []
    for name in ("listdir", "scandir"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, original=original: listed.append(path) or original(path))
    hint(tmp_path / "mine/all/data")
    assert len(listed) < 200
