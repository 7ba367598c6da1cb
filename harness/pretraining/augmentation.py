"""Random changes of whole batches of crops that a face survives; everything is drawn for each crop by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

SHIFT, SCALE, STRETCH, TURN = 0.08, 0.14, 0.06, math.radians(10)
BRIGHTNESS, CONTRAST, COLOUR = 0.20, 0.35, 0.12
GREY, BLUR, NOISE = 0.25, 0.4, 0.05
CUTOUT, CUTOUT_SIDE = 0.4, (0.15, 0.4)


def augment(pixels: Tensor, random: torch.Generator) -> Tensor:
    """float32 [B, 3, S, S] in [0, 1] -> the same, changed; a pure function of its input and `random`."""
    pixels = _move(pixels, random)
    pixels = _soften(pixels, random)
    pixels = _light(pixels, random)
    pixels = _cut(pixels, random)
    pixels += _each(pixels, random, 0, NOISE) * torch.randn(pixels.shape[0], 1, *pixels.shape[2:], generator=random)
    return pixels.clamp_(0, 1)


def _each(pixels: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Uniform [B, channels, 1, 1]."""
    return torch.rand(len(pixels), channels, 1, 1, generator=random) * (high - low) + low


def _happens(pixels: Tensor, random: torch.Generator, share: float) -> Tensor:
    """1 for that share of crops, else 0: [B, 1, 1, 1]."""
    return (_each(pixels, random, 0, 1) < share).float()


def _move(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Flip, shift, scale, stretch and turn, in one resampling; what comes in from outside repeats the border."""
    def draw(width: float) -> Tensor:
        return (torch.rand(len(pixels), generator=random) * 2 - 1) * width

    flip = torch.where(torch.rand(len(pixels), generator=random) < 0.5, -1.0, 1.0)
    scale, stretch, turn = 1 + draw(SCALE), 1 + draw(STRETCH), draw(TURN)
    cos, sin, right, down = scale * turn.cos(), scale * turn.sin(), 2 * draw(SHIFT), 2 * draw(SHIFT)
    across = torch.stack([flip * cos * stretch, -flip * sin, right], dim=1)
    along = torch.stack([sin * stretch, cos, down], dim=1)
    grid = functional.affine_grid(torch.stack([across, along], dim=1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _soften(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Mix in a 3 x 3 mean, as a crop enlarged from fewer pixels has it."""
    share = _happens(pixels, random, BLUR) * _each(pixels, random, 0, 1)
    return pixels.lerp(functional.avg_pool2d(pixels, 3, 1, 1, count_include_pad=False), share)


def _light(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Grey for some; contrast about the crop's mean, brightness, and a gain for each colour."""
    grey = pixels.mean(dim=1, keepdim=True)
    pixels = pixels.lerp(grey, _happens(pixels, random, GREY))
    middle = grey.mean(dim=(2, 3), keepdim=True)
    gain = _each(pixels, random, 1 - CONTRAST, 1 + CONTRAST) * _each(pixels, random, 1 - COLOUR, 1 + COLOUR, 3)
    offset = middle * (1 - gain) + _each(pixels, random, -BRIGHTNESS, BRIGHTNESS)
    return pixels.mul_(gain).add_(offset)


def _cut(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Cover a rectangle of some crops with one shade, as a hand or hair does."""
    size = pixels.shape[-1]
    place = torch.arange(size) / size
    def inside() -> Tensor:
        side = _each(pixels, random, *CUTOUT_SIDE)[:, 0, 0]
        start = torch.rand(len(pixels), 1, generator=random) * (1 - side)
        return (place >= start) & (place < start + side)

    happens = _happens(pixels, random, CUTOUT).bool()
    mask = inside()[:, None, :, None] & inside()[:, None, None, :] & happens
    return torch.where(mask, _each(pixels, random, 0, 1), pixels)
