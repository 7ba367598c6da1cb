"""Decoding of images, and errors of invalid ones."""

import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from harness.data.image_decoding import CorruptImageError, check_image, decode_image


@pytest.fixture
def picture():
    ramp = np.linspace(0, 255, 40, dtype=np.uint8)
    return np.stack([np.tile(ramp, (32, 1)), np.full((32, 40), 200, np.uint8), np.tile(ramp[::-1], (32, 1))], axis=2)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def test_color_jpeg_equals_pillow(tmp_path, picture):
    path = saved(tmp_path / "a.jpg", Image.fromarray(picture), quality=95)
    np.testing.assert_array_equal(decode_image(path), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_gray_is_repeated_over_channels(tmp_path, picture, suffix):
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(picture[..., 0]))
    image = decode_image(path)
    assert image.shape == (32, 40, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[..., 1], picture[..., 0], atol=3)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_rgba_png_loses_its_alpha(tmp_path, picture):
    alpha = np.full((32, 40, 1), 90, np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(np.concatenate([picture, alpha], axis=2)))
    np.testing.assert_array_equal(decode_image(path), picture)


def test_cmyk_jpeg_is_converted(tmp_path, picture):
    path = saved(tmp_path / "a.jpg", Image.fromarray(picture).convert("CMYK"), quality=97)
    np.testing.assert_allclose(decode_image(path).astype(int), picture.astype(int), atol=12)


def test_palette_and_16_bit_gray(tmp_path, picture):
    palette = saved(tmp_path / "p.png", Image.fromarray(picture).quantize(64))
    assert np.abs(decode_image(palette).astype(int) - picture).mean() < 16
    deep = saved(tmp_path / "d.png", Image.fromarray(picture[..., 0].astype(np.uint16) * 257))
    np.testing.assert_array_equal(decode_image(deep)[..., 0], picture[..., 0])


def test_png_named_jpg_is_read_by_its_content(tmp_path, picture):
    path = saved(tmp_path / "a.jpg", Image.fromarray(picture), format="PNG")
    np.testing.assert_array_equal(decode_image(path), picture)


def test_truncated_jpeg_and_png(tmp_path, picture):
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in ("jpg", "png"):
        path = saved(tmp_path / f"a.{suffix}", Image.fromarray(noisy))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(CorruptImageError, match="truncated"):
            decode_image(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"a text file\n" * 20, "not an image"),
        (b"\xff\xd8\xff\xe0 not a jpeg at all", "not an image|decoded|truncated"),
    ],
)
def test_invalid_image_raises(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(CorruptImageError, match=reason) as error:
        decode_image(path)
    assert error.value.path == path and str(path) in str(error.value)


def test_missing_file_and_folder_raise(tmp_path):
    with pytest.raises(CorruptImageError, match="No such file"):
        decode_image(tmp_path / "none.jpg")
    with pytest.raises(CorruptImageError, match="directory"):
        decode_image(tmp_path)


def with_size(path, data, width, height):
    """A JPEG whose header gives another size."""
    at = data.index(b"\xff\xc0") + 5
    path.write_bytes(data[:at] + height.to_bytes(2) + width.to_bytes(2) + data[at + 4 :])
    return path


@pytest.mark.parametrize("color", ["RGB", "CMYK"])
def test_large_jpeg_is_refused_before_it_takes_memory(tmp_path, picture, color):
    """20,000 x 20,000 equal pixels are a file of 5 MB, and 1.2 GB of memory."""
    small = saved(tmp_path / "a.jpg", Image.fromarray(picture).convert(color)).read_bytes()
    path = with_size(tmp_path / "large.jpg", small, 20_000, 20_000)
    tracemalloc.start()
    with pytest.raises(CorruptImageError, match="at most 67,108,864 pixels are read"):
        decode_image(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_large_png_is_refused_and_the_largest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.data.image_decoding.MAX_PIXELS", 1000)
    image = Image.new("RGB", (40, 25))
    for suffix in ("png", "jpg", "bmp"):
        assert decode_image(saved(tmp_path / f"fits.{suffix}", image)).shape == (25, 40, 3)
        with pytest.raises(CorruptImageError, match="41 x 25 pixels"):
            decode_image(saved(tmp_path / f"large.{suffix}", Image.new("RGB", (41, 25))))
    monkeypatch.setattr("harness.data.image_decoding.MAX_FILE_BYTES", 50)
    with pytest.raises(CorruptImageError, match="at most 50 are read"):
        decode_image(tmp_path / "fits.bmp")


def test_thumbnail_of_a_large_image_is_not_decoded(tmp_path, monkeypatch, picture):
    from harness.data.image_hashes import hash_images

    path = saved(tmp_path / "a.png", Image.fromarray(picture))
    assert hash_images([path]).shows.all()
    monkeypatch.setattr("harness.data.image_decoding.MAX_PIXELS", 100)
    assert not hash_images([path]).shows.any()


def test_pipe_among_the_crops_is_named(tmp_path, picture):
    """It would be waited for, by the check, the digests and the decoder."""
    from harness.data.fingerprint import dataset_digest
    from harness.data.image_hashes import hash_images
    from harness.utils.errors import InputError
    from harness.video.source import open_source

    pipe = tmp_path / "crops" / "00001.jpg"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(CorruptImageError, match="not a regular file"):
        decode_image(pipe)
    assert "not a regular file" in check_image(pipe)[0] and not hash_images([pipe]).shows.any()
    with pytest.raises(InputError, match="not a regular file"):
        open_source(str(pipe.parent))
    from harness.data.crop_folders import read_crops

    class Crops:
        sequences, upright = {"crops": read_crops("crops", pipe.parent, [pipe.name])}, False

    assert len(dataset_digest(Crops)) == 16  # it counts as a missing crop
