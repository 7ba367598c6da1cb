"""Crops that a backbone learned from are found by the hashes that are kept with it, mirrored ones too."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.fingerprint import dataset_digest
from harness.data.image_hashes import hash_images, mirror_hashes
from harness.data.learned_crops import match_images, warn_learned_crops
from harness.data.learned_images import IMAGE_HASHES, hash_learned_images, read_learned_images
from harness.data.registry import open_dataset
from harness.data.stills import Stills
from harness.utils.escaping import unescape_csv
from harness.utils.store import Store
from tests.data.test_leakage import crop, picture, videos  # noqa: F401 (a fixture)
from tests.helpers.data_folders import table


def stills(*paths, boxes=None):
    zeros = np.zeros(len(paths), np.int64)
    return Stills(tuple(paths), zeros, ("one",), zeros, boxes=boxes)


def learned(tmp_path, *pictures, name="mine", **options):
    """The folder of a backbone that learned from pictures."""
    folder = tmp_path / "entries" / name
    folder.mkdir(parents=True)
    paths = []
    for number, content in enumerate(pictures):
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(content)
    file, about = hash_learned_images(stills(*paths), (0.0, 0.0), 1, options.get("parent"), options.get("unknown", ""))
    (folder / IMAGE_HASHES).write_bytes(file)
    return folder, about


def mirrored(content):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(content)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def warned(root, folders, store):
    dataset = open_dataset(root)
    return warn_learned_crops(dataset, ("expr", "va"), dataset_digest(dataset), folders, Store(store))


@pytest.mark.parametrize(
    "copy",
    [lambda seed: picture(seed), lambda seed: picture(seed, quality=60), lambda seed: mirrored(picture(seed))],
    ids=["same", "compressed", "mirrored"],
)
def test_a_backbone_trained_on_copies_of_reported_crops_is_named(videos, tmp_path, logged, copy):  # noqa: F811
    for frame in (1, 2, 4):
        crop(videos, "video3", frame).write_bytes(picture(300 + frame))
    folder, _ = learned(tmp_path, *(copy(300 + frame) for frame in (1, 2, 4)), picture(900))
    leaks = warned(videos, {"mine": folder}, tmp_path / "store")
    assert {(leak.backbone, leak.task, leak.split) for leak in leaks} == {
        ("mine", "expr", "validation"),
        ("mine", "va", "validation"),
    }
    assert leaks[0].crops == tuple(f"cropped/video3/{frame:05d}.jpg" for frame in (1, 2, 4)) and leaks[0].total == 10
    assert len(logged) == 1 and "the backbone mine learned from images" in logged[0]
    assert "3 of 10 in validation (task expr)" in logged[0]
    (path,) = (tmp_path / "store/artifacts/leaks").glob("*-learned.csv")
    with path.open() as file:
        assert len(list(csv.DictReader(file))) == 6 and str(path) in logged[0]


@pytest.mark.parametrize(
    ("chance", "said"), [(1e-8, "chance explains fewer than 0.1"), (0.5, "chance explains at most 20.0")]
)
def test_copies_are_named_even_if_chance_explains_as_many(videos, tmp_path, logged, monkeypatch, chance, said):  # noqa: F811
    monkeypatch.setattr("harness.data.learned_crops.CHANCE", chance)
    copies = [crop(videos, "video3", frame).read_bytes() for frame in (1, 2, 4)]
    folder, _ = learned(tmp_path, *copies, picture(900))
    leaks = warned(videos, {"mine": folder}, tmp_path / "store")
    assert [len(leak.crops) for leak in leaks] == [3, 3] and leaks[0].chance == pytest.approx(chance * 10 * 4)
    assert len(logged) == 1 and f"3 of 10 in validation (task expr), where {said}" in logged[0]


def test_the_list_of_crops_has_no_formula(tmp_path):
    names = ["=cmd.jpg", "+1.jpg", "a.jpg", "＝b.jpg"]
    rows = [f"{name},anger,s{number},validation" for number, name in enumerate(names)]
    root = table(tmp_path, "image,expression,subject,split", *rows, "t.jpg,anger,t,train")
    for number, name in enumerate([*names, "t.jpg"]):
        (root / name).write_bytes(picture(number))
    folder, _ = learned(tmp_path, *map(picture, range(4)))
    dataset = open_dataset(root)
    warn_learned_crops(dataset, ("expr",), dataset_digest(dataset), {"mine": folder}, Store(tmp_path / "store"))
    (path,) = (tmp_path / "store/artifacts/leaks").glob("*-learned.csv")
    with path.open() as file:
        cells = [row["image"] for row in csv.DictReader(file)]
    assert sorted(cells) == ["'+1.jpg", "'=cmd.jpg", "'＝b.jpg", "a.jpg"]
    assert sorted(map(unescape_csv, cells)) == sorted(names)


def test_training_crops_and_other_pictures_are_no_leak(videos, tmp_path, logged):  # noqa: F811
    training = crop(videos, "video1_left", 2).read_bytes()
    folder, _ = learned(tmp_path, training, *(picture(seed) for seed in range(900, 960)))
    assert warned(videos, {"mine": folder}, tmp_path / "store") == [] and logged == []


def test_nothing_is_claimed_of_backbones_without_hashes(videos, tmp_path, logged):  # noqa: F811
    (tmp_path / "imported").mkdir()
    assert read_learned_images(tmp_path / "imported") is None
    assert warned(videos, {"imported": tmp_path / "imported"}, tmp_path / "store") == [] and logged == []
    assert not (tmp_path / "store").exists()


def npy(shape, dtype="<u8", text=None):
    """The header of an .npy file, without its array."""
    header = (text or str({"descr": dtype, "fortran_order": False, "shape": shape})).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, np.zeros((3, 2), np.uint64))
    return buffer.getvalue()


DAMAGED = {
    "empty": b"",
    "header cut off": b"\x93NUMPY\x01",
    "no array": np.zeros(3).tobytes(),
    "archive": npz(),
    "garbage of an archive": b"PK\x03\x04 garbage",
    "larger than memory": npy((2**40, 2)),
    "larger than any number": npy((10**30, 2)),
    "negative": npy((-1, 2)) + bytes(16),
    "truncated": npy((2, 2)) + bytes(31),
    "longer": npy((2, 2)) + bytes(48),
    "other type": npy((2, 2), "<f8") + bytes(32),
    "objects": npy((2, 2), "|O") + bytes(32),
    "deep": npy((), text="(" * 9_000),
    "open": npy((), text="{'descr': '<u8L"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_hashes_are_none(tmp_path, logged, content):
    (tmp_path / IMAGE_HASHES).write_bytes(content)
    assert read_learned_images(tmp_path) is None
    (warning,) = logged
    assert str(tmp_path / IMAGE_HASHES) in warning and "cannot be found" in warning


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["named pipe", "folder"])
def test_hashes_that_are_no_regular_file_are_none(tmp_path, logged, make):
    make(tmp_path / IMAGE_HASHES)
    assert read_learned_images(tmp_path) is None and len(logged) == 1


@pytest.mark.parametrize("order", ["C", "F"])
def test_hashes_that_numpy_saved_are_read(tmp_path, order):
    hashes = np.arange(10, dtype=np.uint64).reshape(5, 2)
    np.save(tmp_path / IMAGE_HASHES, np.asarray(hashes, order=order))
    assert (read_learned_images(tmp_path) == hashes).all()


def test_what_the_parent_learned_from_was_learned_too(tmp_path):
    parent, about = learned(tmp_path, picture(1), picture(2), name="parent")
    child, about_child = learned(tmp_path, picture(2), picture(3), name="child", parent=parent, unknown="timm x")
    assert about == {"images": 2, "unknown": ""} and about_child == {"images": 3, "unknown": "timm x"}
    hashes = read_learned_images(child)
    assert hashes.shape == (3, 2) and (np.diff(hashes[:, 0].astype(object)) > 0).all()


def test_images_are_hashed_inside_their_boxes(tmp_path):
    """The face of a larger image is the crop of another dataset."""
    face, scene = Image.open(io.BytesIO(picture(5))), Image.new("RGB", (448, 448), (90, 120, 60))
    scene.paste(face, (224, 112))
    scene.save(tmp_path / "scene.jpg", quality=95)
    face.save(tmp_path / "face.jpg", quality=95)
    boxes = np.array([[224, 112, 336, 224]], np.float32)
    inside, alone = hash_images([tmp_path / "scene.jpg"], boxes), hash_images([tmp_path / "face.jpg"])
    assert (
        np.bitwise_count(inside.rows ^ alone.rows)[0] <= 2 and np.bitwise_count(inside.columns ^ alone.columns)[0] <= 2
    )
    whole = hash_images([tmp_path / "scene.jpg"])
    assert np.bitwise_count(whole.columns ^ alone.columns)[0] > 6


def test_hashes_of_mirrored_images_follow_from_those_of_the_images(tmp_path):
    for seed in range(20):
        image = Image.open(io.BytesIO(picture(seed)))
        image.save(tmp_path / f"{seed}.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"{seed}m.png")
    one, other = (hash_images([tmp_path / f"{seed}{kind}.png" for seed in range(20)]) for kind in ("", "m"))
    rows, columns = mirror_hashes(one.rows, one.columns)
    assert np.bitwise_count(columns ^ other.columns).max() <= 1
    assert np.bitwise_count(rows ^ other.rows).max() <= 4
    twice = mirror_hashes(rows, columns)
    assert (twice[0] == one.rows).all() and (twice[1] == one.columns).all()


def test_every_image_with_near_hashes_is_found():
    """Against comparing each with each, with many images that share their columns."""
    rng = np.random.default_rng(0)
    pool = rng.integers(0, 2**63, 40, dtype=np.uint64)
    near = lambda values: values ^ np.uint64(1) << rng.integers(0, 64, len(values)).astype(np.uint64)  # noqa: E731
    columns, rows = near(rng.choice(pool, 300)), near(rng.choice(pool, 300))
    learned = np.unique(np.stack([near(rng.choice(pool, 200)), near(rng.choice(pool, 200))], axis=1), axis=0)

    def slow(columns, rows):
        distances = [np.bitwise_count(values[:, None] ^ learned[:, i]) for i, values in enumerate((columns, rows))]
        return (np.maximum(*distances) <= 2).any(axis=1)

    mirrored_rows, mirrored_columns = mirror_hashes(rows, columns)
    expected = slow(columns, rows) | slow(mirrored_columns, mirrored_rows)
    assert 0 < expected.sum() < 300 and (match_images(columns, rows, learned) == expected).all()
