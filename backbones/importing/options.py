"""Options of an import, for what a weights file does not contain: preprocessing, choice of outputs and class names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.errors import BackboneError, unknown_name_error
from backbones.spec import ALIGNMENTS, IMAGENET_MEAN, IMAGENET_STD, INTERPOLATIONS, Preprocessing

CHANNELS = ("rgb", "bgr", "grey")
LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in a grey image (ITU-R BT.601), as in Pillow and OpenCV."""
LAYOUTS = ("nchw", "nhwc")
PIXEL_OPTIONS = ("mean", "std", "value_range", "channels", "interpolation", "align", "size", "like")
NONE = "none"
"""Value of `scores` if no scores are used, and of `classes` if the scores have no names."""
OPTION_NAMES = {"value_range": "range"}
"""Command-line names of options, by name of the field, where the two differ."""


@dataclass(frozen=True)
class ImportOptions:
    """Description of the network in a weights file by the user. None means that an option is not given.

    Attributes
    ----------
    mean, std : sequence of float or None
        Mean and standard deviation, in the channel order of the network: three numbers, or one for all channels.
    value_range : sequence of float or None
        Values of black and white before the normalization, such as (0, 1), (0, 255) or (-1, 1).
    channels : str or None
        `rgb`, `bgr` or `grey`: the channel order of the network. Its input may be grey in one channel or in three.
    layout : str or None
        `nchw` or `nhwc`; by default the layout that the input shape shows.
    interpolation : str or None
        See `Preprocessing`; `bilinear` by default.
    align : str or None
        `none` or `five_point`: whether the network expects faces that are aligned by five landmarks.
    size : int or None
        Height and width of the input in pixels, for a network that does not fix them or runs at other sizes, too.
    embedding, scores : str or None
        Names of the outputs, or of tensors within the graph; `none` for no scores.
    classes : sequence of str or None
        Names of the score columns; `("none",)` for scores without names.
    architecture : str or None
        A catalogue name or a timm model, for files that contain tensors only.
    licence, source : str or None
        License and source of the weights, for the card.
    like : str or None
        `imagenet`, `vggface2` or `hsemotion`: options that are not given are taken from these published networks.

    Raises
    ------
    BackboneError
        If a value is invalid.
    """

    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    value_range: Sequence[float] | None = None
    channels: str | None = None
    layout: str | None = None
    interpolation: str | None = None
    align: str | None = None
    size: int | None = None
    embedding: str | None = None
    scores: str | None = None
    classes: Sequence[str] | None = None
    architecture: str | None = None
    licence: str | None = None
    source: str | None = None
    like: str | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("channels", CHANNELS),
            ("layout", LAYOUTS),
            ("interpolation", INTERPOLATIONS),
            ("align", ALIGNMENTS),
            ("like", tuple(KNOWN_FORMATS)),
        ):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise unknown_name_error(f"value of --{name}", str(value), known)
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None and len(values) not in (1, 3):
                raise BackboneError(
                    f"--{name} has {len(values)} numbers", "give three numbers in the channel order, or one for all"
                )
        ends = self.value_range
        if ends is not None and not (len(ends) == 2 and ends[0] < ends[1]):
            raise BackboneError(
                f"--range {','.join(f'{value:g}' for value in ends)} is not a range of values",
                "give the values of black and white, such as 0,1 or 0,255 or -1,1",
            )

    @property
    def without_scores(self) -> bool:
        """Whether the scores of the network, if any, are not used."""
        return self.scores == NONE

    def given(self) -> dict[str, Any]:
        """Return the options that are given as JSON types, by their names on the command line."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            OPTION_NAMES.get(name, name): list(value) if isinstance(value, (list, tuple)) else value
            for name, value in values.items()
            if value is not None
        }

    def require_unused(self, names: Sequence[str], path: Path, kind: str) -> None:
        """Raise BackboneError if one of these options is given although it does not apply to a kind of file."""
        for name in names:
            if getattr(self, name) is not None and not (name == "scores" and self.without_scores):
                raise BackboneError(f"--{OPTION_NAMES.get(name, name)} does not apply to {path}, {kind}", "omit it")


@dataclass(frozen=True)
class InputFormat:
    """Pixels that a network expects, in its own channel order.

    Attributes
    ----------
    mean, std : tuple of float
        Three numbers each, or one for all channels.
    value_range : tuple of float
        Values of black and white before the normalization.
    channels : str
        `rgb`, `bgr` or `grey`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    value_range: tuple[float, float]
    channels: str

    def preprocessing(self, size: int, interpolation: str, align: str) -> Preprocessing:
        """Return the preprocessing of RGB crops that gives this format once the channels are in the network's order."""
        low, high = self.value_range
        mean, std = (values * 3 if len(values) == 1 else values for values in (self.mean, self.std))
        if self.channels == "bgr":
            mean, std = mean[::-1], std[::-1]
        if self.channels == "grey" and (len(set(mean)) > 1 or len(set(std)) > 1):
            raise BackboneError(
                f"mean {self.mean} and std {self.std} differ between channels, but the input is grey",
                "give one number each with --mean and --std",
            )
        shifted = _triple([value - low for value in mean])
        return Preprocessing(size, interpolation, float(high - low), shifted, _triple(std), align=align)


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
KNOWN_FORMATS = {
    "imagenet": InputFormat(IMAGENET_MEAN, IMAGENET_STD, (0.0, 1.0), "rgb"),
    "vggface2": InputFormat(CAFFE_MEAN_BGR, (1.0,), (0.0, 255.0), "bgr"),
    "hsemotion": InputFormat(IMAGENET_MEAN, IMAGENET_STD, (0.0, 1.0), "rgb"),
}
"""Preprocessing of published networks: the ImageNet networks of timm and torchvision, the VGGFace2 networks of
A. Savchenko's HSE_FaceRec_tf, and the emotion networks of HSEmotion and EmotiEffLib."""
MBF_FORMAT = InputFormat((0.5,), (0.5,), (0.0, 1.0), "rgb")
"""Preprocessing of HSEmotion's MobileFaceNet, whose files are named `mbf_...`."""


def resolve_format(
    options: ImportOptions, path: Path, is_grey: bool = False, known: InputFormat | None = None
) -> InputFormat:
    """Determine from the options which pixels a network expects.

    Parameters
    ----------
    options : ImportOptions
        The options.
    path : Path
        The weights file, for messages. With `like="hsemotion"`, its name also shows whether it is a MobileFaceNet.
    is_grey : bool
        Whether the input of the network has one channel.
    known : InputFormat, optional
        Values of options that are not given. Default: the format of `like`.

    Returns
    -------
    InputFormat
        The format.

    Raises
    ------
    BackboneError
        If options are missing and neither `known` nor `like` replaces them, or the channels contradict the input.
    """
    if known is None and options.like is not None:
        is_mbf = options.like == "hsemotion" and path.name.startswith("mbf_")
        known = MBF_FORMAT if is_mbf else KNOWN_FORMATS[options.like]
    channels = options.channels or ("grey" if is_grey else None) or (known.channels if known else None)
    if is_grey and channels != "grey":
        raise BackboneError(f"the input of {path} has one channel, so it is not {channels}", "omit --channels")
    values = {"mean": options.mean, "std": options.std, "range": options.value_range, "channels": channels}
    missing = [name for name, value in values.items() if value is None]
    if missing and known is None:
        raise BackboneError(
            f"{path} does not contain its preprocessing, and nothing is assumed: "
            f"{', '.join(f'--{name}' for name in missing)} missing",
            "give them as the authors of the network do, for example --range 0,255 --mean 127.5 --std 127.5 "
            f"--channels rgb, or name networks with the same preprocessing: --like {'|'.join(KNOWN_FORMATS)}",
        )
    fallback = known or KNOWN_FORMATS["imagenet"]
    channels = channels or fallback.channels
    step = -1 if {channels, fallback.channels} == {"rgb", "bgr"} else 1
    low, high = options.value_range or fallback.value_range
    return InputFormat(
        tuple(options.mean or fallback.mean[::step]),
        tuple(options.std or fallback.std[::step]),
        (float(low), float(high)),
        channels,
    )
