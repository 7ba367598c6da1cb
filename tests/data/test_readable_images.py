"""The check of a dataset and the decoder agree on every file."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness.data.image_checks import check_images
from harness.data.image_decoding import CorruptImageError, check_image, decode_image

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 48))
MOTION_PHOTO = b"\0\0\0\x18ftypmp42" + bytes(range(1, 200)) * 20
SAMSUNG = b"\x00\x00\x01\x0aImage_UTC_Data1700000000000" + b"\x11" * 90 + b"SEFH" + b"\x22" * 40 + b"SEFT"


def encoded(kind="JPEG", image=PICTURE, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half(data, end=b""):
    return data[: len(data) // 2] + end


def padded_half(data):
    return half(data, b"\0" * (len(data) - len(data) // 2))


def with_stray_bytes(data):
    """A camera wrote bytes between the pixels and the end marker; nothing is missing."""
    return data[:-2] + b"\0\1\2" + data[-2:]


def with_checksums(data, change):
    """Change the checksum of the chunk of pixels (`change` is -4), or a byte before it."""
    end = data.index(b"IDAT") + 8 + int.from_bytes(data[data.index(b"IDAT") - 4 : data.index(b"IDAT")])
    return data[: end + change] + bytes([data[end + change] ^ 1]) + data[end + change + 1 :]


SOUND = {
    "jpeg": encoded(),
    "progressive": encoded(progressive=True),
    "gray": encoded(image=PICTURE.convert("L")),
    "cmyk": encoded(image=PICTURE.convert("CMYK")),
    "zeros": encoded() + b"\0" * 4096,
    "samsung": encoded() + SAMSUNG,
    "ff": encoded() + b"\xff" * 512,
    "motion photo": encoded() + MOTION_PHOTO,
    "stray bytes": with_stray_bytes(encoded()),
    "png": encoded("PNG"),
    "png trailer": encoded("PNG") + b"\0" * 100,
    "palette": encoded("PNG", PICTURE.quantize(32), transparency=bytes([0, 128] + [255] * 30)),
    "gif": encoded("GIF"),
    "jpeg 2000": encoded("JPEG2000"),
    "avif": encoded("AVIF"),
    "webp": encoded("WEBP"),
    "tiff": encoded("TIFF"),
    "bmp": encoded("BMP"),
    "ppm": encoded("PPM"),
    **{kind.lower(): encoded(kind) for kind in ("TGA", "PCX", "SGI", "DDS", "QOI", "DIB", "SPIDER")},
    "ico": encoded("ICO", sizes=[(64, 48)]),
    "png with a wrong checksum of a chunk": with_checksums(encoded("PNG"), -4),
    "narrow": encoded(image=PICTURE.resize((1, 48))),
}
TRUNCATED = {
    "jpeg": half(encoded()),
    "jpeg with an end marker": half(encoded(), b"\xff\xd9"),
    "progressive with an end marker": half(encoded(progressive=True), b"\xff\xd9"),
    "gray with an end marker": half(encoded(image=PICTURE.convert("L")), b"\xff\xd9"),
    "cmyk with an end marker": half(encoded(image=PICTURE.convert("CMYK")), b"\xff\xd9"),
    "jpeg filled with zeros": padded_half(encoded()),
    "jpeg without its thumbnail's rest": half(encoded(exif=Image.Exif()), b"\xff\xd9" + SAMSUNG),
    "png": half(encoded("PNG")),
    "png filled with zeros": padded_half(encoded("PNG")),
    "png with a wrong checksum of its pixels": with_checksums(with_checksums(encoded("PNG"), -5), -4),
    "tga": half(encoded("TGA")),
    "gif": half(encoded("GIF")),
    "jpeg 2000": half(encoded("JPEG2000")),
    "avif": half(encoded("AVIF")),
    "webp": half(encoded("WEBP")),
    "tiff": half(encoded("TIFF", compression="tiff_lzw")),
}
UNREADABLE = {
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\1" * 500, "HEIC is not supported, convert it to JPEG"),
    "generic heic": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + b"\1" * 500, "HEIC is not supported"),
    "182 megapixels": (encoded("PNG", Image.new("1", (14000, 13000))), "at most 67,108,864 pixels are read"),
    "100 megapixels": (encoded("PNG", Image.new("1", (10000, 10000))), "10,000 x 10,000 pixels"),
    "program": (encoded("EPS"), "not an image that can be read"),
    "metafile": (b"\xd7\xcd\xc6\x9a\0\0" + bytes(200), "not an image that can be read"),
    "text": (b"<html>" * 20, "not an image that can be read"),
    "empty": (b"", "the file is empty"),
}


def written(folder, content):
    path = folder / "image.jpg"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", SOUND)
def test_sound_images_pass_the_check_and_are_read(tmp_path, name):
    path = written(tmp_path, SOUND[name])
    assert check_image(path) == (None, 1)
    assert decode_image(path).shape[0] == 48


@pytest.mark.parametrize("name", TRUNCATED)
def test_half_an_image_is_refused_by_both(tmp_path, name):
    path = written(tmp_path, TRUNCATED[name])
    with pytest.raises(CorruptImageError) as error:
        decode_image(path)
    assert check_image(path) == (error.value.reason, 1)


@pytest.mark.parametrize("name", UNREADABLE)
def test_other_files_are_refused_by_both(tmp_path, name):
    content, words = UNREADABLE[name]
    path = written(tmp_path, content)
    with pytest.raises(CorruptImageError, match=words) as error:
        decode_image(path)
    assert check_image(path) == (error.value.reason, 1)


def test_trailers_change_no_pixel(tmp_path):
    expected = decode_image(written(tmp_path, SOUND["jpeg"]))
    for name in ("zeros", "samsung", "ff", "motion photo", "stray bytes"):
        np.testing.assert_array_equal(decode_image(written(tmp_path, SOUND[name])), expected)


def test_many_images_are_checked_in_order(tmp_path):
    contents = [SOUND["jpeg"], TRUNCATED["jpeg"], SOUND["png"], b""] * 80
    paths = [tmp_path / f"{number:03d}.jpg" for number in range(len(contents))]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    done = []
    checks = check_images(paths, lambda *counts: done.append(counts))
    assert sorted(checks.faults) == [n for n in range(320) if n % 2] and checks.faults[3] == "the file is empty"
    assert not checks.turned.any() and done[-1] == (320, 320)


def test_no_library_prints_a_warning(tmp_path):
    """In a separate process, because pytest resets the warning filters."""
    (tmp_path / "palette.png").write_bytes(SOUND["palette"])
    (tmp_path / "large.png").write_bytes(UNREADABLE["100 megapixels"][0])
    (tmp_path / "half.tif").write_bytes(TRUNCATED["tiff"])
    code = (
        "import pathlib, sys; from harness.data.image_decoding import check_image\n"
        "print([check_image(path)[0] is None for path in sorted(pathlib.Path(sys.argv[1]).iterdir())])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.stderr) == ("[False, False, True]\n", "")
