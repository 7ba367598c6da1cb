"""Random changes of whole batches of crops that a face survives; everything is drawn for each crop by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Strengths:
    """Largest changes: shift, scale and stretch as shares of the crop, turn in radians, brightness of the range,
    contrast and colour of themselves, noise as a deviation; grey, blur and cutout are the share of crops that get it.
    """

    shift: float = 0.08
    scale: float = 0.14
    stretch: float = 0.06
    turn: float = math.radians(10)
    brightness: float = 0.2
    contrast: float = 0.35
    colour: float = 0.12
    grey: float = 0.25
    blur: float = 0.4
    noise: float = 0.05
    cutout: float = 0.4

    def times(self, strength: float) -> Strengths:
        return Strengths(**{f.name: strength * getattr(self, f.name) for f in fields(self)})


CUTOUT_SIDE = (0.15, 0.4)


def augment(pixels: Tensor, random: torch.Generator, strength: float = 1.0) -> Tensor:
    """float32 [B, 3, S, S] in [0, 1] -> the same, changed; a pure function of its arguments and `random`."""
    most = Strengths().times(strength)
    pixels = _move(pixels.contiguous(), random, most)
    pixels = _soften(pixels, random, most)
    pixels = _light(pixels, random, most)
    pixels = _cut(pixels, random, most)
    grain = torch.randn(len(pixels), 1, *pixels.shape[2:], generator=random)
    return pixels.add_(_each(pixels, random, 0, most.noise) * grain).clamp_(0, 1)


def _each(pixels: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Uniform [B, channels, 1, 1]."""
    return torch.rand(len(pixels), channels, 1, 1, generator=random) * (high - low) + low


def _happens(pixels: Tensor, random: torch.Generator, share: float) -> Tensor:
    """1 for that share of crops, else 0: [B, 1, 1, 1]."""
    return (_each(pixels, random, 0, 1) < share).float()


def _move(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Flip, shift, scale, stretch and turn, in one resampling; what comes in from outside repeats the border."""
    def draw(width: float) -> Tensor:
        return (torch.rand(len(pixels), generator=random) * 2 - 1) * width

    flip = torch.where(torch.rand(len(pixels), generator=random) < 0.5, -1.0, 1.0)
    scale, stretch, turn = 1 + draw(most.scale), 1 + draw(most.stretch), draw(most.turn)
    cos, sin, right, down = scale * turn.cos(), scale * turn.sin(), 2 * draw(most.shift), 2 * draw(most.shift)
    across = torch.stack([flip * cos * stretch, -flip * sin, right], dim=1)
    along = torch.stack([sin * stretch, cos, down], dim=1)
    grid = functional.affine_grid(torch.stack([across, along], dim=1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _soften(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Mix in a 3 x 3 mean, as a crop enlarged from fewer pixels has it."""
    share = _happens(pixels, random, most.blur) * _each(pixels, random, 0, 1)
    wide = functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    wide = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]  # sums of shifts: ten times faster than avg_pool2d here
    wide = wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]
    return pixels.lerp(wide.mul_(1 / 9), share)


def _light(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Grey for some; contrast about the crop's mean, brightness, and a gain for each colour."""
    grey = pixels.mean(dim=1, keepdim=True)
    pixels = pixels.lerp(grey, _happens(pixels, random, most.grey))
    middle = grey.mean(dim=(2, 3), keepdim=True)
    gain = 1 + _each(pixels, random, -most.contrast, most.contrast)
    gain = gain * (1 + _each(pixels, random, -most.colour, most.colour, 3))
    offset = middle * (1 - gain) + _each(pixels, random, -most.brightness, most.brightness)
    return pixels.mul_(gain).add_(offset)


def _cut(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Cover a rectangle of some crops with one shade, as a hand or hair does."""
    size = pixels.shape[-1]
    place = torch.arange(size) / size

    def inside() -> Tensor:
        side = _each(pixels, random, *CUTOUT_SIDE)[:, 0, 0]
        start = torch.rand(len(pixels), 1, generator=random) * (1 - side)
        return (place >= start) & (place < start + side)

    happens = _happens(pixels, random, most.cutout).bool()
    mask = inside()[:, None, :, None] & inside()[:, None, None, :] & happens
    return torch.where(mask, _each(pixels, random, 0, 1), pixels)
