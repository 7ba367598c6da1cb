"""Decode image files to RGB arrays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from backbones.regular_files import read_regular

MAX_PIXELS = 2**26
"""Largest number of pixels of an image, 8,192 x 8,192; a small file can contain billions of equal pixels."""
MAX_FILE_BYTES = 2**29
"""Largest size of an image file."""


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


def decode_image(path: Path) -> np.ndarray:
    """Decode an image file.

    Gray values are repeated over the channels, alpha is dropped, CMYK and 16-bit values are converted. EXIF rotation is
    not applied, because crops are cut from decoded video.

    Returns
    -------
    uint8 array of shape (H, W, 3)
        RGB.

    Raises
    ------
    CorruptImageError
        If the file is absent, empty, truncated, too large or not an image.
    """
    try:
        data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise CorruptImageError(path, error.strerror or str(error)) from error
    if not data:
        raise CorruptImageError(path, "the file is empty")
    image = _decode_jpeg(path, data) if data[:3] == b"\xff\xd8\xff" else None
    return _decode_with_pillow(path, data) if image is None else image


def require_size(path: Path, width: int, height: int) -> None:
    """Raise CorruptImageError for an image with more than `MAX_PIXELS`, before it is decoded."""
    if width * height > MAX_PIXELS:
        raise CorruptImageError(
            path, f"{width:,} x {height:,} pixels; images of at most {MAX_PIXELS:,} pixels are read, so make it smaller"
        )


def _decode_jpeg(path: Path, data: bytes) -> np.ndarray | None:
    """Decode a valid JPEG in a common color space, twice as fast as Pillow and bit-identical; None for all others."""
    import simplejpeg

    try:
        height, width, color_space, _ = simplejpeg.decode_jpeg_header(data)
        require_size(path, width, height)
        if color_space not in ("YCbCr", "RGB", "Gray"):
            return None
        return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    except (ValueError, RuntimeError):
        return None


def _decode_with_pillow(path: Path, data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            require_size(path, *image.size)
            if image.mode.startswith("I"):
                return _reduce_to_8_bits(np.asarray(image))
            return np.array(image.convert("RGB"))
    except Image.UnidentifiedImageError as error:
        raise CorruptImageError(path, "not an image") from error
    except (MemoryError, CorruptImageError):
        raise
    except Image.DecompressionBombError as error:
        raise CorruptImageError(path, f"too large; images of at most {MAX_PIXELS:,} pixels are read") from error
    except Exception as error:  # Pillow's decoders raise many types of errors for malformed files
        reason = "the image is truncated" if "truncated" in str(error) else f"cannot be decoded ({error})"
        raise CorruptImageError(path, reason) from error


def _reduce_to_8_bits(gray: np.ndarray) -> np.ndarray:
    """Convert values (H, W) from 0 to 65535 to uint8 (H, W, 3)."""
    scaled = (np.clip(gray, 0, 65535).astype(np.uint16) // 257).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)
