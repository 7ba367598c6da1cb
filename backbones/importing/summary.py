"""Log what an import stores, and which part of it the file did not contain."""

from __future__ import annotations

import logging

from backbones.importing.options import ImportOptions
from backbones.spec import Preprocessing

logger = logging.getLogger(__name__)

MIN_SPAN, MAX_SPAN = 0.3, 300
"""Plausible range of the difference between white and black after normalization."""


def log_preprocessing(preprocessing: Preprocessing, options: ImportOptions, has_labels: bool) -> None:
    """Log the stored preprocessing, and which settings were taken from `like`.

    Parameters
    ----------
    preprocessing : Preprocessing
        The stored preprocessing.
    options : ImportOptions
        The options.
    has_labels : bool
        Whether the scores have names.
    """
    size = preprocessing.input_size
    aligned = ", aligned by five landmarks" if preprocessing.align == "five_point" else ""
    logger.info(
        f"crops: {size} x {size} pixels ({preprocessing.interpolation}, no crop{aligned}), values 0 to "
        f"{preprocessing.value_range:g}, mean {_format(preprocessing.mean)}, std {_format(preprocessing.std)} "
        "of R, G and B"
    )
    spans = [preprocessing.value_range / std for std in preprocessing.std]
    if not all(MIN_SPAN <= span <= MAX_SPAN for span in spans):
        logger.warning(
            f"these values span {spans[0]:g} after normalization, but networks take spans of 1 to 10, or 255 without "
            "a division; check that --mean and --std are in the units of --range"
        )
    if options.value_range is not None and options.value_range[0]:
        low, high = options.value_range
        logger.info(f"values {low:g} to {high:g} are stored as 0 to {high - low:g}, with the mean shifted by {-low:g}")
    if options.like is not None:
        names = ("mean", "std", "range", "channels")
        given = options.given()
        replaced = [name for name in names if name not in given]
        if has_labels and options.like == "hsemotion" and "classes" not in given:
            replaced.append("classes")
        logger.info(f"as in {options.like} networks (--like): {', '.join(replaced) or 'nothing'}")


def _format(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
