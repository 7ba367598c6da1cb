"""Decode image files to RGB arrays. Checks of datasets use the same functions, so they accept the same files."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from backbones.regular_files import open_regular, read_regular
from harness.data.orientation import EXIF_ORIENTATIONS

MAX_PIXELS = 2**26
"""Maximum number of pixels of an image (8,192 x 8,192). Without a limit, a small file could fill the memory."""
MAX_FILE_BYTES = 2**29
"""Maximum size of an image file."""
RARE_FORMATS = (
    *("BLP", "CUR", "DCX", "DDS", "DIB", "FITS", "FLI", "FTEX", "GBR", "ICNS", "ICO", "IM", "IMT", "IPTC", "MCIDAS"),
    *("MSP", "PCD", "PCX", "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA", "XBM", "XPM", "XVTHUMB"),
)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "AVIF", "PPM", *RARE_FORMATS)
"""Formats that are read, by their names in Pillow. Left out are formats without a decoder, and EPS and WMF, which
Pillow renders with other software."""
NOT_AN_IMAGE = "not an image that can be read (JPEG, PNG, WebP, TIFF, BMP, GIF, JPEG 2000, AVIF or PNM)"
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SIGNATURES = (JPEG, PNG, b"II*\0", b"MM\0*", b"GIF8", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
PNG_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
INFLATED_BLOCK = 2**24
HEIC = re.compile(rb"....ftyp.{0,48}hei[cfmsx]", re.DOTALL)
DAMAGE = re.compile("premature end|bad huffman code|instead of rst|bad arithmetic", re.IGNORECASE)
"""Warnings of libjpeg that mean wrong pixels. Its warnings about stray bytes or data after the end are harmless."""
ORIENTATION_MARKS = (b"Exif", b"eXIf", b"EXIF", b"tiff:Orientation", b"Raw profile type", b"irot", b"imir")
"""Byte strings that mark metadata with an orientation. Files without any of them, except TIFF, have no orientation."""
ORIENTATION_TAG = 0x0112
SMALLEST = {"min_width": 1, "min_height": 1, "min_factor": 8, "fastdct": True, "fastupsample": True}
"""Options with which simplejpeg reads all data of a JPEG, but computes few pixels."""

# Pillow warns about files for which an error is raised here anyway, and about metadata that are not read.
warnings.filterwarnings("ignore", module=r"PIL\.")


class CorruptImageError(Exception):
    """An image file that cannot be decoded.

    Parameters
    ----------
    path : Path
    reason : str
        One phrase for the user.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode_image(path: Path, upright: bool = False) -> np.ndarray:
    """Decode an image file.

    Gray values are repeated over the channels, alpha is dropped, CMYK and 16-bit values are converted. Only the
    first image of an animation is read.

    Parameters
    ----------
    path : Path
    upright : bool, default False
        Whether to apply the EXIF orientation: True for still images, False for crops that are cut from video.

    Returns
    -------
    uint8 array of shape (H, W, 3)
        RGB.

    Raises
    ------
    CorruptImageError
        If the file cannot be read, or is empty, truncated, damaged, too large or not a supported image.
    """
    data = _read(path)
    image = _decode_jpeg(path, data, {}) if data.startswith(JPEG) else None
    if image is None:
        image = _decode_with_pillow(path, data)
    return EXIF_ORIENTATIONS[orientation_of(data)](image) if upright else image


@contextmanager
def open_image(path: Path, upright: bool) -> Iterator[Image.Image]:
    """Open an image with Pillow, for callers that need few of its pixels; see `decode_image` for `upright`."""
    with open_regular(path) as file:
        turned = upright and orientation_of(file.read(MAX_FILE_BYTES)) != 1
        file.seek(0)
        if turned:
            yield Image.fromarray(decode_image(path, upright=True))
            return
        with Image.open(file, formats=FORMATS) as image:
            yield image


def check_image(path: Path) -> tuple[str | None, int]:
    """Check whether `decode_image` can read a file, without computing all pixels of a JPEG.

    Returns
    -------
    fault : str or None
        The reason of the CorruptImageError; None if the image can be read.
    orientation : int
        EXIF orientation of the image; 1 if it is upright or cannot be read.
    """
    try:
        data = _read(path)
        if not data.startswith(JPEG) or _decode_jpeg(path, data, SMALLEST) is None:
            _decode_with_pillow(path, data)
    except CorruptImageError as error:
        return error.reason, 1
    return None, orientation_of(data)


def orientation_of(data: bytes) -> int:
    """Return the EXIF orientation (1 to 8) that has to be applied to the decoded pixels of an image file.

    The result is 1 if there is no orientation or if the EXIF data are damaged. It is also 1 for TIFF files, because
    Pillow already turns them upright.
    """
    metadata = data[: _jpeg_header_size(data)] if data.startswith(JPEG) else data
    if not any(mark in metadata for mark in ORIENTATION_MARKS):
        return 1
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            orientation = 1 if image.format == "TIFF" else image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF data raise many types of errors
        return 1
    return orientation if orientation in EXIF_ORIENTATIONS else 1


def _jpeg_header_size(data: bytes) -> int:
    """Return the offset at which the metadata of a JPEG end and its pixels begin; the file size if it is not found."""
    start = 2
    while data[start : start + 1] == b"\xff":
        marker = data[start + 1 : start + 2]
        if marker == b"\xda":
            return start
        if marker == b"\xff":
            start += 1
        else:
            start += 2 + int.from_bytes(data[start + 2 : start + 4])
    return len(data)


def require_size(path: Path, width: int, height: int) -> None:
    """Raise CorruptImageError for an image with more than `MAX_PIXELS`, before it is decoded."""
    if width * height > MAX_PIXELS:
        raise CorruptImageError(
            path, f"{width:,} x {height:,} pixels; images of at most {MAX_PIXELS:,} pixels are read, so make it smaller"
        )


def _read(path: Path) -> bytes:
    try:
        data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise CorruptImageError(path, error.strerror or str(error)) from error
    if not data:
        raise CorruptImageError(path, "the file is empty")
    return data


def _decode_jpeg(path: Path, data: bytes, options: dict) -> np.ndarray | None:
    """Decode a JPEG with simplejpeg; return None if Pillow must decode it, for example because of its color space.

    The result is identical to Pillow's and takes half the time. Pillow fills the missing part of a damaged image with
    gray without an error, so all JPEG files are decoded here first.
    """
    import simplejpeg

    try:
        height, width, color_space, _ = simplejpeg.decode_jpeg_header(data)
        require_size(path, width, height)
        if color_space in ("YCbCr", "RGB", "Gray"):
            return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True, **options)
        simplejpeg.decode_jpeg(data, colorspace="CMYK", strict=True, **SMALLEST)
    except (ValueError, RuntimeError) as error:
        if DAMAGE.search(str(error)):
            reason = "the image is truncated" if "remature" in str(error) else f"the image is damaged ({error})"
            raise CorruptImageError(path, reason) from error
    return None


def _decode_with_pillow(path: Path, data: bytes) -> np.ndarray:
    if HEIC.match(data):
        raise CorruptImageError(path, "HEIC is not supported, convert it to JPEG")
    if data.startswith(PNG):
        _require_checksums(path, data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            require_size(path, *image.size)
            if image.mode.startswith("I"):
                return _reduce_to_8_bits(np.asarray(image))
            return np.array(image.convert("RGB"))
    except Image.UnidentifiedImageError as error:
        is_part = data.startswith(SIGNATURES) or data[4:12] == b"ftypavif"
        raise CorruptImageError(path, "the image is truncated or damaged" if is_part else NOT_AN_IMAGE) from error
    except (MemoryError, CorruptImageError):
        raise
    except Image.DecompressionBombError as error:
        raise CorruptImageError(path, f"too large; images of at most {MAX_PIXELS:,} pixels are read") from error
    except Exception as error:  # Pillow's decoders raise many types of errors for malformed files
        reason = "the image is truncated" if "truncated" in str(error).lower() else f"cannot be decoded ({error})"
        raise CorruptImageError(path, reason) from error


def _require_checksums(path: Path, data: bytes) -> None:
    """Raise CorruptImageError if the pixels of a PNG file are damaged; Pillow ignores such damage.

    Wrong checksums of chunks are accepted if the checksum of the compressed pixels themselves is right.
    """
    start = len(PNG)
    pixels: list[bytes] = []
    wrong = False
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])
        kind = data[start + 4 : start + 8]
        if kind == b"IEND" or end > len(data):  # Pillow raises an error if the file is truncated
            break
        if kind == b"IDAT":
            pixels.append(data[start + 8 : end - 4])
        if kind in PNG_CRITICAL and zlib.crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            wrong = True
        start = end
    if wrong and not _is_complete(b"".join(pixels)):
        raise CorruptImageError(path, "the image is damaged (a checksum of the PNG is wrong)")


def _is_complete(stream: bytes) -> bool:
    """Return whether a zlib stream is complete and its checksum is right; stop at the size of the largest image."""
    decoder = zlib.decompressobj()
    try:
        for _ in range(8 * MAX_PIXELS // INFLATED_BLOCK + 2):
            if decoder.eof or not decoder.decompress(stream, INFLATED_BLOCK):
                break
            stream = decoder.unconsumed_tail
    except zlib.error:
        return False
    return decoder.eof


def _reduce_to_8_bits(gray: np.ndarray) -> np.ndarray:
    """Convert values (H, W) from 0 to 65535 to uint8 (H, W, 3)."""
    scaled = (np.clip(gray, 0, 65535).astype(np.uint16) // 257).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)
