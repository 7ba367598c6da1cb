"""Convert uint8 RGB crops to the input of a backbone, with numpy and Pillow only."""

from __future__ import annotations

import numpy as np
from PIL import Image

from backbones.spec import BackboneSpec, Preprocessing

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}

FILTER_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Radius in pixels of the filters that `backbones.resizing` may compute with torch; downscaling enlarges it."""


def resize(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Resize a crop with Pillow, which antialiases when it downscales.

    Parameters
    ----------
    image : ndarray
        RGB, uint8 [H, W, 3].
    preprocessing : Preprocessing
        Gives the size S and the interpolation.

    Returns
    -------
    ndarray
        uint8 [S, S, 3]; `image` itself if it has this size.

    Examples
    --------
    >>> import numpy as np
    >>> from backbones import Preprocessing, resize
    >>> resize(np.zeros((80, 64, 3), np.uint8), Preprocessing(112)).shape
    (112, 112, 3)
    """
    size = preprocessing.input_size
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), FILTERS[preprocessing.interpolation]))


def scale_and_offset(preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients that normalize values from 0 to 255 as `value * scale + offset`.

    Parameters
    ----------
    preprocessing : Preprocessing
        Gives value range, mean and standard deviation.

    Returns
    -------
    scale : ndarray
        float32 [3].
    offset : ndarray
        float32 [3].
    """
    std = np.asarray(preprocessing.std, np.float64)
    scale = (preprocessing.value_range / 255.0 / std).astype(np.float32)
    return scale, (-np.asarray(preprocessing.mean, np.float64) / std).astype(np.float32)


def normalize(images: np.ndarray, preprocessing: Preprocessing, out: np.ndarray | None = None) -> np.ndarray:
    """Normalize resized crops.

    Parameters
    ----------
    images : ndarray
        RGB, uint8 [N, S, S, 3].
    preprocessing : Preprocessing
        Gives value range, mean and standard deviation.
    out : ndarray, optional
        C-contiguous float32 [N, S, S, 3], the memory for the result.

    Returns
    -------
    ndarray
        float32 [N, 3, S, S], a view of channels-last memory.

    Examples
    --------
    >>> import numpy as np
    >>> from backbones import Preprocessing, normalize
    >>> preprocessing = Preprocessing(2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> pixels = normalize(np.full((1, 2, 2, 3), 255, np.uint8), preprocessing)
    >>> pixels.shape, float(pixels.max())
    ((1, 3, 2, 2), 1.0)
    """
    scale, offset = scale_and_offset(preprocessing)
    count, height, width, channels = images.shape
    # numpy's inner loop runs over whole image lines; broadcasting over a last axis of 3 is ten times slower
    lines = np.empty(images.shape, np.float32) if out is None else out
    lines = lines.reshape(count * height, width * channels)
    np.copyto(lines, images.reshape(lines.shape))
    lines *= np.tile(scale, width)
    lines += np.tile(offset, width)
    return lines.reshape(images.shape).transpose(0, 3, 1, 2)


def prepare(image: np.ndarray, spec: BackboneSpec | Preprocessing) -> np.ndarray:
    """Resize and normalize one crop.

    Parameters
    ----------
    image : ndarray
        RGB, uint8 [H, W, 3].
    spec : BackboneSpec or Preprocessing
        The preprocessing to apply.

    Returns
    -------
    ndarray
        float32 [3, S, S].

    Examples
    --------
    >>> import numpy as np
    >>> import backbones
    >>> backbones.prepare(np.zeros((80, 64, 3), np.uint8), backbones.spec("vggface")).shape
    (3, 224, 224)
    """
    preprocessing = spec.preprocessing if isinstance(spec, BackboneSpec) else spec
    return normalize(resize(image, preprocessing)[None], preprocessing)[0]
