"""Warnings about leakage: duplicate crops in two splits, and features with scores of the targets."""

import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from harness import Grid, HeadConfig, Recipe
from harness.data.fingerprint import dataset_digest
from harness.data.leakage import scores_leak_targets, warn_near_duplicates
from harness.data.registry import open_dataset
from harness.data.splits import labels_fingerprint
from harness.runner.preparation import prepare_inputs
from harness.utils.store import Store
from tests.helpers.data_folders import TEST_LISTS, crops, small_abaw3, table, write
from tests.helpers.logs import captured_logs

TASKS = ("expr", "va", "au", "mtl")


def picture(seed, size=112, quality=90, shade=None):
    """JPEG of a smooth random image that differs for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    image = Image.fromarray(coarse if shade is None else np.full_like(coarse, shade))
    buffer = io.BytesIO()
    image.resize((112, 112), Image.Resampling.BICUBIC).resize((size, size)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture
def videos(tmp_path):
    """Four videos of five different crops."""
    root = small_abaw3(tmp_path / "data")
    for number, path in enumerate(sorted((root / "cropped").glob("*/*.jpg"))):
        path.write_bytes(picture(number))
    return root


def warned(root, store, tasks=TASKS):
    dataset = open_dataset(root)
    labels = {task: labels_fingerprint(dataset, task) for task in tasks}
    with captured_logs() as messages:
        pairs = warn_near_duplicates(dataset, labels, dataset_digest(dataset), Store(store))
    return pairs, messages


def crop(root, video, frame):
    return root / "cropped" / video / f"{frame:05d}.jpg"


def test_different_images_are_not_duplicates(videos, tmp_path):
    assert warned(videos, tmp_path / "store") == ([], [])


@pytest.mark.parametrize("copy", [{}, {"quality": 50}, {"size": 224}, {"size": 80, "quality": 75}])
def test_training_crop_in_reported_split_is_reported(videos, tmp_path, copy):
    """The same file, or the same image compressed or scaled again."""
    for seed, frame in ((201, 2), (202, 3), (203, 5)):
        crop(videos, "7-30-640x480", frame).write_bytes(picture(seed))
        crop(videos, "video3", frame).write_bytes(picture(seed, **copy))
    pairs, said = warned(videos, tmp_path / "store")
    assert len(pairs) == 3
    assert all(pair.image.replace("video3", "7-30-640x480") == pair.training_image for pair in pairs)
    assert pairs[0].split == "validation" and pairs[0].tasks == TASKS and len(said) == 1
    assert f"{pairs[0].image} = {pairs[0].training_image}" in said[0] and "task expr, va, au, mtl" in said[0]


def test_duplicates_are_found_across_folders_of_crops(videos, tmp_path):
    shutil.copyfile(crop(videos, "video1_left", 3), crop(videos, "video2", 3))
    (videos / "cropped_new_50_vids").mkdir()
    (videos / "cropped/video2").rename(videos / "cropped_new_50_vids/video2")
    (pair,), _ = warned(videos, tmp_path / "store")
    assert (pair.image, pair.training_image) == (
        "cropped_new_50_vids/video2/00003.jpg",
        "cropped/video1_left/00003.jpg",
    )


def test_all_pairs_are_written_to_a_file(videos, tmp_path):
    for frame in range(1, 6):
        shutil.copyfile(crop(videos, "video1_left", frame), crop(videos, "video2", frame))
    pairs, (warning,) = warned(videos, tmp_path)
    assert "5 crops in validation duplicate crops in train" in warning and "and 2 more" in warning
    (listed,) = (tmp_path / "artifacts" / "leaks").glob("*.csv")
    assert str(listed) in warning
    with open(listed, newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [f"cropped/video2/{n:05d}.jpg" for n in range(1, 6)]


def test_second_check_reads_cached_hashes(videos, tmp_path, monkeypatch):
    shutil.copyfile(crop(videos, "video1_left", 1), crop(videos, "video2", 4))
    first = warned(videos, tmp_path)
    monkeypatch.setattr("harness.data.near_duplicates.hash_crops", None)
    monkeypatch.setattr("harness.data.near_duplicates.find_near_duplicates", None)
    assert warned(videos, tmp_path) == first and len(first[0]) == 1


def test_crops_of_a_test_list_are_compared_too(videos, tmp_path):
    crops(videos, "video9", range(1, 3))
    crop(videos, "video9", 1).write_bytes(crop(videos, "video1_left", 3).read_bytes())
    write(videos / TEST_LISTS["expr"], "video9")
    pairs, said = warned(videos, tmp_path)
    assert [(pair.split, pair.tasks) for pair in pairs] == [("test", ("expr",))] and "in test" in said[0]


def test_crops_shared_by_tasks_are_not_duplicates(videos, tmp_path):
    """A video may be in the training split of one task and in the reported split of another."""
    annotations = videos / "Third ABAW Annotations" / "VA_Estimation_Challenge"
    (annotations / "Train_Set" / "video1_left.txt").rename(annotations / "Validation_Set" / "video1_left.txt")
    assert warned(videos, tmp_path) == ([], [])


def test_black_and_tiny_crops_are_ignored(videos, tmp_path):
    for number, video in enumerate(("7-30-640x480", "video1_left", "video2", "video3")):
        crop(videos, video, 1).write_bytes(picture(0, shade=0))
        crop(videos, video, 2).write_bytes(picture(number, size=2))
        crop(videos, video, 3).write_bytes(b"")
    assert warned(videos, tmp_path) == ([], [])


def test_video_without_crops_is_skipped(videos, tmp_path):
    shutil.copyfile(crop(videos, "7-30-640x480", 2), crop(videos, "video3", 1))
    for name in ("video1_left", "video2"):
        shutil.rmtree(videos / "cropped" / name)
    pairs, _ = warned(videos, tmp_path)
    assert [pair.image for pair in pairs] == ["cropped/video3/00001.jpg"]


def test_equal_hash_with_different_pixels_is_not_a_duplicate(videos, tmp_path):
    """Half the contrast leaves every comparison of neighbours, and so the hash, as it was."""
    sharp = Image.open(io.BytesIO(picture(77, quality=100)))
    sharp.save(crop(videos, "video1_left", 1), quality=100)
    Image.blend(sharp, Image.new("RGB", sharp.size, (128,) * 3), 0.5).save(crop(videos, "video2", 1), quality=100)
    assert warned(videos, tmp_path) == ([], [])


@pytest.mark.parametrize(("bits", "found"), [(0, True), (1, True), (2, True), (3, False)])
def test_hashes_within_two_bits_are_compared_by_pixels(videos, tmp_path, monkeypatch, bits, found):
    """The reported crop is a copy whose hash is turned in so many places; another with the very hash is none."""
    from harness.data import near_duplicates

    copied, other = crop(videos, "video1_left", 2), crop(videos, "7-30-640x480", 4)
    shutil.copyfile(copied, crop(videos, "video3", 1))
    made = near_duplicates.hash_crops

    def turned(dataset, progress=None):
        hashes = made(dataset, progress)
        place = {
            path: i for i, path in enumerate(path for name in hashes.names for path in dataset.sequences[name].images)
        }
        value = hashes.hashes[place[copied]]
        for bit in range(bits):
            value ^= np.uint64(1 << (21 * bit + 5))
        hashes.hashes[place[crop(videos, "video3", 1)]] = hashes.hashes[place[other]] = value
        return hashes

    monkeypatch.setattr(near_duplicates, "hash_crops", turned)
    pairs, _ = warned(videos, tmp_path)
    assert [pair.training_image for pair in pairs] == ["cropped/video1_left/00002.jpg"] * found


def test_stills_are_compared_row_by_row(tmp_path):
    """Rows of both splits are in one block of the table."""
    rows = [f"{n}.jpg,{('anger', 'fear')[n % 2]},s{n},{'validation' if n > 7 else 'train'}" for n in range(12)]
    root = table(tmp_path / "data", "image,expression,subject,split", *rows)
    for n in range(12):
        (root / f"{n}.jpg").write_bytes(picture(3 if n == 9 else n))
    pairs, _ = warned(root, tmp_path, ("expr",))
    assert [(pair.image, pair.training_image) for pair in pairs] == [("9.jpg", "3.jpg")]


@pytest.mark.parametrize(
    ("task", "features", "labels", "expected"),
    [
        ("expr", "scores", ("Anger", "Contempt"), True),
        ("expr", "embeddings+scores", ("anger",), True),
        ("expr", "embeddings", ("Anger",), False),
        ("expr", "scores", ("s0012", "Other"), False),
        ("va", "scores", ("Anger",), False),
        ("va", "scores", ("Anger", "Valence"), True),
        ("au", "scores", ("AU12",), True),
        ("au", "scores", ("Anger",), False),
        ("mtl", "embeddings+scores", ("Anger",), True),
        ("mtl", "scores", ("Arousal",), True),
        ("mtl", "scores", (), False),
        ("expr", "none", ("Anger",), False),
        ("expr", "labels", ("Anger",), False),
    ],
)
def test_leaking_scores_are_detected_by_name(task, features, labels, expected):
    assert scores_leak_targets(task, features, labels) is expected


def test_run_warns_once_of_leaking_scores(videos, tmp_path, logged):
    import backbones

    network = backbones.build("tiny_mobilenet")
    backbones.save_checkpoint(tmp_path / "store/artifacts/backbones/emotions", network, {})
    shutil.copyfile(crop(videos, "video1_left", 1), crop(videos, "video2", 4))
    head = (HeadConfig("logistic_regression"),)
    grids = tuple(Grid(task, ("embeddings", "scores", "embeddings+scores"), head) for task in ("expr", "va"))
    recipe = Recipe("small", grids, ("emotions", "tiny_mobilenet@random"))
    prepared = prepare_inputs(recipe, videos, Store(tmp_path / "store"))
    warnings = [line for line in logged if line.startswith("warning")]
    assert len(warnings) == 2 and "cropped/video2/00004.jpg = cropped/video1_left/00001.jpg" in warnings[0]
    assert "(expr: emotions);" in warnings[1] and "va" not in warnings[1]
    assert [backbone.score_labels != () for backbone in prepared.backbones] == [True, False]


def test_backbone_selected_on_reported_split_warns(tmp_path):
    import json

    from harness import BackboneRecipe, Expressions, Schedule, StillsConfig
    from harness.runner.backbone_training import train_backbone

    words = ("anger", "fear", "happiness")
    rows = [f"{n}.jpg,{words[n % 3]},s{n // 3},{'validation' if n > 29 else 'train'}" for n in range(45)]
    root, store = table(tmp_path / "data", "image,expression,subject,split", *rows), tmp_path / "store"
    for n in range(45):
        (root / f"{n}.jpg").write_bytes(picture(n, size=32))
    training = StillsConfig(
        "tiny_mobilenet@random",
        identities=None,
        batch_size=8,
        expressions=Expressions(Schedule(epochs=1), held_out=0.0),
    )
    folder = train_backbone(BackboneRecipe("mine", training), root, Store(store)).folder

    def warnings():
        head = (HeadConfig("logistic_regression"),)
        with captured_logs() as messages:
            prepare_inputs(Recipe("small", (Grid("expr", heads=head),), ("mine",)), root, Store(store))
        return [line for line in messages if line.startswith("warning")]

    (told,) = warnings()
    assert "the epoch of mine was selected on the validation split" in told and "optimistic" in told
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"selection": "training subjects"}))
    assert warnings() == []
    (folder / "card.json").write_text(json.dumps(card))
    (root / "44.jpg").write_bytes(picture(99, size=32))
    assert warnings() == [], "other stills are not those"
