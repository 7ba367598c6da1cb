"""The EXIF orientation of stills is applied everywhere, that of crops of a video nowhere."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from harness.data.check import check_dataset, render
from harness.data.fingerprint import dataset_digest
from harness.data.image_decoding import check_image, decode_image
from harness.data.image_hashes import hash_images
from harness.data.registry import open_dataset, open_stills
from harness.video.source import open_source
from tests.helpers.data_folders import small_abaw3
from tests.helpers.still_folders import vggface2

BLOCKS = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
PICTURE = Image.fromarray(BLOCKS).resize((96, 64), Image.Resampling.NEAREST)
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera stores an upright picture for each orientation."""


def stored(path, orientation, kind="JPEG", image=PICTURE):
    """Store a picture as a phone does: turned, with the orientation that turns it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = TURNS[orientation]
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    (image if turn is None else image.transpose(turn)).save(path, kind, exif=exif, **options)
    return path


def table(root, orientations, kind="JPEG"):
    for row, orientation in enumerate(orientations):
        image = Image.fromarray(np.roll(BLOCKS, row, axis=1)).resize((96, 64), Image.Resampling.NEAREST)
        stored(root / f"{row}.jpg", orientation, kind, image)
    with (root / "labels.csv").open("w", newline="") as file:
        rows = [(f"{row}.jpg", ("happiness", "anger")[row % 2]) for row in range(len(orientations))]
        csv.writer(file).writerows([("image", "expression"), *rows])
    return root


def difference(first, second):
    return np.abs(np.asarray(first, int) - np.asarray(second, int)).mean()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_stills_are_turned_upright(tmp_path, orientation, kind):
    path = stored(tmp_path / "photo", orientation, kind)
    assert difference(decode_image(path, upright=True), PICTURE) < 6
    if kind != "TIFF":  # which Pillow turns in any case
        assert check_image(path) == (None, orientation)
        turn = TURNS[orientation]
        assert difference(decode_image(path), PICTURE if turn is None else PICTURE.transpose(turn)) < 6


@pytest.mark.parametrize("padding", [b"", b"\xff\xff", b"\0"])
def test_thumbnail_before_the_orientation(tmp_path, padding):
    """Photoshop stores a JPEG thumbnail, which contains a scan, in a segment that may come before Exif."""
    data = stored(tmp_path / "a.jpg", 6).read_bytes()
    thumbnail = b"Photoshop 3.0\x008BIM" + stored(tmp_path / "b.jpg", 1, image=PICTURE.resize((9, 6))).read_bytes()
    segment = b"\xff\xed" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    (tmp_path / "a.jpg").write_bytes(data[:2] + segment + padding + data[2:])
    assert b"\xff\xda" in segment and check_image(tmp_path / "a.jpg") == (None, 6)
    assert difference(decode_image(tmp_path / "a.jpg", upright=True), PICTURE) < 6


def test_crops_of_a_video_are_not_turned(tmp_path):
    path = stored(tmp_path / "00001.jpg", 6)
    assert decode_image(path).shape == (96, 64, 3)
    assert not open_dataset(small_abaw3(tmp_path / "videos")).upright
    assert open_dataset(table(tmp_path / "stills", [1] * 4)).upright


@pytest.mark.parametrize(
    "content", [b"Exif\0\0 damaged", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0"]
)
def test_damaged_orientation_is_none(tmp_path, content):
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", exif=content)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert decode_image(tmp_path / "a.jpg", upright=True).shape == (64, 96, 3)
    assert check_image(tmp_path / "a.jpg") == (None, 1)


def test_digest_depends_on_orientations_alone_where_there_are_any(tmp_path, monkeypatch):
    """Features that were once extracted from lying images are not used for upright ones."""
    sets = {name: open_dataset(table(tmp_path / name, [each] * 4)) for name, each in (("a", 6), ("b", 1))}
    cache = tmp_path / "digests.json"
    found = {name: dataset_digest(dataset, cache) for name, dataset in sets.items()}
    monkeypatch.setattr("harness.data.dataset.Dataset.upright", False)
    assert dataset_digest(sets["a"], cache) != found["a"] and dataset_digest(sets["b"], cache) == found["b"]
    stills = {name: open_stills(tmp_path / name).stills("train").digest() for name in "ab"}
    assert stills["a"] != stills["b"]


def test_check_counts_turned_images(tmp_path):
    report = check_dataset(table(tmp_path, [1, 6, 1, 3, 8, 1]))
    assert report.turned == 3
    assert "6 in 1 block; 3 are turned upright by their EXIF orientation" in render(report)
    assert "EXIF" not in render(check_dataset(table(tmp_path / "plain", [1] * 6)))


def test_check_says_what_boxes_refer_to(tmp_path):
    stored(vggface2(tmp_path) / "train/n000002/0001_01.jpg", 6)
    report = check_dataset(tmp_path)
    (problem,) = [problem for problem in report.problems if problem.kind == "orientation"]
    assert report.turned == 1 and "first: train/n000002/0001_01.jpg" in problem.message
    assert "boxes must refer to the upright image" in problem.message


def test_training_images_are_upright_and_boxes_refer_to_them(tmp_path):
    from backbones import Preprocessing
    from harness.data.stills import Stills
    from harness.training.backbones.images import ImageSet

    paths = tuple(stored(tmp_path / f"{orientation}.jpg", orientation) for orientation in (1, 6))
    boxes = np.array([[64, 0, 96, 32]] * 2, np.float32)
    stills = Stills(paths, np.arange(2), ("a", "b"), np.zeros(2, np.int64), boxes=boxes)
    upright, turned = ImageSet(stills, Preprocessing(input_size=32)).get(np.arange(2))
    assert difference(upright, turned) < 6 and difference(upright, np.asarray(PICTURE)[:32, 64:]) < 6
    both = hash_images(paths, boxes, upright=True)
    assert np.bitwise_count(both.rows[0] ^ both.rows[1]) <= 2 and both.shows.all()
    lying = hash_images(paths, upright=False)
    assert np.bitwise_count(lying.rows[0] ^ lying.rows[1]) > 8


def test_photos_to_predict_are_upright_and_numbered_crops_are_as_stored(tmp_path):
    for number, kind in enumerate(("JPEG", "PNG", "TIFF"), 1):
        stored(tmp_path / f"photos/holiday {number}.{kind.lower()}", 6, kind)
        stored(tmp_path / f"crops/{number:05d}.jpg", 6)
    for source in (open_source(str(tmp_path / "photos")), open_source(str(tmp_path / "photos"), crops=True)):
        assert all(difference(frame.pixels, PICTURE) < 6 for frame in source)
    assert [frame.pixels.shape for frame in open_source(str(tmp_path / "crops"), crops=True)] == [(96, 64, 3)] * 3
    assert next(iter(open_source(str(tmp_path / "photos/holiday 1.jpeg"), crops=True))).pixels.shape == (64, 96, 3)


def test_features_are_those_of_upright_images(tmp_path):
    import backbones
    from harness.features.engine_choice import EngineSelector
    from harness.features.extraction import extract
    from harness.features.store import FeatureStore

    backbone = backbones.load("tiny_mobilenet@random")
    store = FeatureStore(tmp_path / "store")
    roots = (table(tmp_path / "6", [6] * 4, "PNG"), table(tmp_path / "1", [1] * 4, "PNG"), _lying(tmp_path / "0"))
    computing = EngineSelector(tmp_path / "engines", "torch")
    turned, upright, lying = (
        extract(open_dataset(root), backbone, store, "float32", threads=1, computing=computing) for root in roots
    )
    assert len({entry.key for entry in (turned, upright, lying)}) == 3
    read = [entry.read("images-00000", "embeddings")[0] for entry in (turned, upright, lying)]
    np.testing.assert_array_equal(read[0], read[1])
    assert not np.allclose(read[0], read[2], atol=1e-3)


def _lying(root):
    table(root, [6] * 4, "PNG")
    for path in root.glob("*.jpg"):
        pixels = decode_image(path)
        Image.fromarray(pixels).save(path, "PNG")
    return root
