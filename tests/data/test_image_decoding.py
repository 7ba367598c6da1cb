"""Decoding of images, and errors of invalid ones."""

import numpy as np
import pytest
from PIL import Image

from harness.data.image_decoding import CorruptImageError, decode_image


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
