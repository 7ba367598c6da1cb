"""Image files become RGB arrays; a file that is no sound image says why."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


class CorruptImage(Exception):
    """A crop that cannot be used.

    path: the file; reason: one phrase for the user.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode_image(path: Path) -> np.ndarray:
    """The image at `path` as uint8 [H, W, 3] RGB.

    Grey is repeated over the channels, alpha is dropped, CMYK and 16 bits are converted; EXIF rotation is not
    applied (crops are cut from decoded video). CorruptImage when the file is absent, empty, truncated or no image.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.readall()
    except OSError as error:
        raise CorruptImage(path, error.strerror or str(error)) from error
    if not data:
        raise CorruptImage(path, "the file is empty")
    image = _decode_jpeg(data) if data[:3] == b"\xff\xd8\xff" else None
    return _decode_with_pillow(path, data) if image is None else image


def _decode_jpeg(data: bytes) -> np.ndarray | None:
    """A sound JPEG in one of the usual colour spaces; None leaves the verdict to Pillow. Equal bits, twice as fast."""
    import simplejpeg

    try:
        colours = simplejpeg.decode_jpeg_header(data)[2]
        if colours not in ("YCbCr", "RGB", "Gray"):
            return None
        return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    except (ValueError, RuntimeError):
        return None


def _decode_with_pillow(path: Path, data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith("I"):
                return _reduce_to_8_bits(np.asarray(image))
            return np.array(image.convert("RGB"))
    except Image.UnidentifiedImageError as error:
        raise CorruptImage(path, "not an image") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise a dozen kinds for bytes that are not what they claim
        reason = "the image is truncated" if "truncated" in str(error) else f"cannot be decoded ({error})"
        raise CorruptImage(path, reason) from error


def _reduce_to_8_bits(grey: np.ndarray) -> np.ndarray:
    """uint16 or int32 [H, W] of 0..65535 -> uint8 [H, W, 3]."""
    scaled = np.clip(grey.astype(np.int64), 0, 65535) // 257
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)
