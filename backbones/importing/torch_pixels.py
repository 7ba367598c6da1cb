"""Preprocessing of imported torch networks, and their conversion to RGB input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from backbones import catalogue
from backbones.errors import BackboneError
from backbones.importing.class_names import PUBLISHED_ORDERS
from backbones.importing.options import (
    KNOWN_FORMATS,
    LUMA,
    OPTION_NAMES,
    PIXEL_OPTIONS,
    ImportOptions,
    InputFormat,
    resolve_format,
)
from backbones.spec import BackboneSpec, Preprocessing

FACE_SIZES = {"timm:mobilevitv2_150": 224}
"""Input sizes of published emotion weights (EmotiEffLib) where they differ from the sizes of timm's weights."""
TOLERANCE = 1e-4
"""Largest relative difference of outputs before and after the conversion to RGB input."""


def resolve_preprocessing(
    spec: BackboneSpec, columns: int, options: ImportOptions, path: Path
) -> tuple[Preprocessing, str]:
    """Return the preprocessing of a network whose file does not contain it, and the channel order of the network.

    Parameters
    ----------
    spec : BackboneSpec
        The architecture, which gives the size of the input by default.
    columns : int
        Number of score columns.
    options : ImportOptions
        The options. `architecture="vggface"` stands for the published network and thus for its preprocessing.
    path : Path
        The weights file, for messages.

    Returns
    -------
    preprocessing : Preprocessing
        The preprocessing of RGB crops.
    channels : str
        `rgb`, `bgr` or `grey`.

    Raises
    ------
    BackboneError
        If options are missing.
    """
    published = _published_preprocessing(spec, columns, options)
    known = None
    if published is not None and options.like != "vggface2":
        known = InputFormat(published.mean, published.std, (0.0, published.value_range), "rgb")
    pixels = resolve_format(options, path, known=known)
    defaults = published or Preprocessing(spec.input_size)
    return (
        pixels.preprocessing(
            options.size or defaults.input_size,
            options.interpolation or defaults.interpolation,
            options.align or "none",
        ),
        pixels.channels,
    )


def _published_preprocessing(spec: BackboneSpec, columns: int, options: ImportOptions) -> Preprocessing | None:
    """Return the preprocessing of the networks that `like` or the architecture stand for."""
    if options.like is None:
        is_vggface = options.architecture == spec.name == catalogue.VGGFACE.name
        return spec.preprocessing if is_vggface else None
    module, _, model = spec.constructor.partition(":")
    if options.like == "imagenet" and module == "timm":
        return catalogue.spec(f"{catalogue.TIMM_PREFIX}{model}").preprocessing
    if options.like == "hsemotion" and spec.name != catalogue.VGGFACE.name:
        may_be_face_weights = columns in PUBLISHED_ORDERS or not columns
        if spec.name.startswith(catalogue.TIMM_PREFIX) and may_be_face_weights:
            return Preprocessing(FACE_SIZES.get(spec.name, spec.input_size))
        return spec.preprocessing
    known = KNOWN_FORMATS[options.like]
    return known.preprocessing(spec.input_size, "bilinear", "none")


def require_no_pixel_options(options: ImportOptions, path: Path) -> None:
    """Raise BackboneError if options describe the pixels of a network whose file contains its preprocessing."""
    given = [OPTION_NAMES.get(name, name) for name in PIXEL_OPTIONS if getattr(options, name) is not None]
    if given:
        raise BackboneError(
            f"{path} contains its preprocessing, which {', '.join(f'--{name}' for name in given)} would contradict",
            "omit these options",
        )


@torch.no_grad()
def convert_to_rgb(network: nn.Module, channels: str, size: int, path: Path) -> None:
    """Change the first convolution of a network, in place, so that it takes RGB instead of another channel order.

    Parameters
    ----------
    network : nn.Module
        The network, in eval mode.
    channels : str
        `rgb`, `bgr` or `grey`: what the network takes, in three channels.
    size : int
        Height and width of its input.
    path : Path
        The weights file, for messages.

    Raises
    ------
    BackboneError
        If no convolution can be changed so that the outputs stay the same.
    """
    if channels == "rgb":
        return
    reorder = _to_bgr if channels == "bgr" else _to_grey
    pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size) ** 3
    pixels = torch.cat([pixels, pixels.flip(3)])
    expected = network(reorder(pixels))
    if _is_close(network(pixels), expected):  # the order of the channels makes no difference
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3 and layer.groups == 1:
            original = layer.weight.detach().clone()
            layer.weight.copy_(_fold(original, reorder))
            if _is_close(network(pixels), expected):
                return
            layer.weight.copy_(original)
    raise BackboneError(
        f"{path} cannot be converted from {channels} to RGB input: no first convolution with three channels was found",
        "export the network to ONNX and import that file",
    )


def _is_close(outputs: Tensor, expected: Tensor) -> bool:
    return torch.allclose(outputs, expected, rtol=TOLERANCE, atol=TOLERANCE * float(expected.abs().max()))


def _to_bgr(pixels: Tensor) -> Tensor:
    return pixels.flip(1)


def _to_grey(pixels: Tensor) -> Tensor:
    luma = pixels.new_tensor(LUMA).reshape(1, 3, 1, 1)
    return (pixels * luma).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


def _fold(weight: Tensor, reorder: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the weights of a convolution that has the same effect as `reorder` and then the original convolution."""
    matrix = reorder(torch.eye(3).reshape(3, 3, 1, 1)).reshape(3, 3)  # row: input channel, column: reordered channel
    return torch.einsum("ochw,ic->oihw", weight, matrix.to(weight.dtype))
