"""Random changes of whole batches of crops that a face survives; everything is drawn for each crop by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

MAX_ASPECT_RATIO = 4 / 3
"""Most that a random crop is wider than high, or higher than wide (Szegedy et al. 2015, arXiv 1409.4842)."""

MAX_STRIDE = 1.5
"""Pixels of the picture between neighbours of the crop, above which bilinear sampling would leave too many out."""


def resample(pixels: Tensor, theta: Tensor, size: int) -> Tensor:
    """float32 [B, 3, P, P] -> [B, 3, size, size] where `theta` [B, 2, 3] points; outside, the border repeats.

    A picture much larger than its crop is sampled on a grid so many times finer, whose means are the crop.
    """
    finer = max(1, math.ceil(pixels.shape[-1] / size / MAX_STRIDE))
    shape = [len(pixels), pixels.shape[1], finer * size, finer * size]
    grid = functional.affine_grid(theta, shape, align_corners=False)
    moved = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return moved if finer == 1 else functional.avg_pool2d(moved, finer)


def random_affine(  # noqa: PLR0913 - one strength for each change
    count: int, random: torch.Generator, shift: float, scale: float, stretch: float, turn: float, flip: bool
) -> Tensor:
    """[count, 2, 3]: mirrored or not, shifted, scaled, stretched and turned by up to these shares of the crop."""

    def uniform(width: float) -> Tensor:
        return (torch.rand(count, generator=random, device=random.device) * 2 - 1) * width

    side = random_flip_signs(count, random) if flip else torch.ones(count, device=random.device)
    size, wider, angle = 1 + uniform(scale), 1 + uniform(stretch), uniform(turn)
    cos, sin, right, down = size * angle.cos(), size * angle.sin(), 2 * uniform(shift), 2 * uniform(shift)
    across = torch.stack([side * cos * wider, -side * sin, right], dim=1)
    along = torch.stack([sin * wider, cos, down], dim=1)
    return torch.stack([across, along], dim=1)


def random_flip_signs(count: int, random: torch.Generator) -> Tensor:
    """[count]: -1 for about half, else 1."""
    return torch.where(torch.rand(count, generator=random, device=random.device) < 0.5, -1.0, 1.0)


def random_crop(theta: Tensor, random: torch.Generator, least: float) -> Tensor:
    """`theta` within a random window of the picture of between `least` and all of its area.

    The window's aspect ratio is drawn evenly in its logarithm, up to ASPECT or what still fits the picture.
    """

    def uniform() -> Tensor:
        return torch.rand(len(theta), generator=random, device=random.device)

    area = least + (1 - least) * uniform()
    ratio = torch.exp((2 * uniform() - 1) * torch.clamp(-area.log(), max=math.log(MAX_ASPECT_RATIO)))
    half = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1)
    place = torch.stack([uniform(), uniform()], dim=1)
    centre = (1 - half) * (2 * place - 1)
    placed = theta * half[:, :, None]
    placed[:, :, 2] += centre
    return placed


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

    def multiply(self, strength: float) -> Strengths:
        return Strengths(**{f.name: strength * getattr(self, f.name) for f in fields(self)})


CUTOUT_SIDE = (0.15, 0.4)


def augment(  # noqa: PLR0913 - one strength for each change
    pixels: Tensor,
    random: torch.Generator,
    strength: float = 1.0,
    flip: bool = True,
    crop: float = 1.0,
    size: int | None = None,
    geometry: float | None = None,
) -> Tensor:
    """float32 [B, 3, P, P] in [0, 1] -> [B, 3, size, size], changed; a pure function of its arguments and `random`.

    flip: half of them are mirrored; crop: smallest share of the picture's area that a random crop keeps.
    size: P where it is not given. geometry: strength of shift, scale, stretch and turn where theirs is another than
    `strength`. `random` lives on the device of `pixels`.
    """
    size = size or pixels.shape[-1]
    most, moved = Strengths().multiply(strength), strength if geometry is None else geometry
    pixels = _random_geometry(pixels, random, Strengths().multiply(moved) if moved else None, flip, crop, size)
    if not strength:
        return pixels
    pixels = _random_blur(pixels, random, most)
    pixels = _random_color(pixels, random, most)
    pixels = _random_cutout(pixels, random, most)
    grain = torch.randn(len(pixels), 1, *pixels.shape[2:], generator=random, device=random.device)
    return pixels.add_(_uniform(pixels, random, 0, most.noise) * grain).clamp_(0, 1)


def _random_geometry(
    pixels: Tensor, random: torch.Generator, most: Strengths | None, flip: bool, crop: float, size: int
) -> Tensor:
    """Crop, flip, shift, scale, stretch and turn in one resampling; none where nothing but a flip is asked for."""
    if most is None and crop == 1 and size == pixels.shape[-1]:
        mirror = random_flip_signs(len(pixels), random)[:, None, None, None] < 0 if flip else None
        return pixels if mirror is None else torch.where(mirror, pixels.flip(3), pixels)
    shift, scale, stretch, turn = (most.shift, most.scale, most.stretch, most.turn) if most else (0.0,) * 4
    theta = random_affine(len(pixels), random, shift, scale, stretch, turn, flip)
    if crop < 1:
        theta = random_crop(theta, random, crop)
    return resample(pixels.contiguous(), theta, size)


def _uniform(pixels: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Uniform [B, channels, 1, 1]."""
    drawn = torch.rand(len(pixels), channels, 1, 1, generator=random, device=random.device)
    return drawn * (high - low) + low


def _bernoulli(pixels: Tensor, random: torch.Generator, share: float) -> Tensor:
    """1 for that share of crops, else 0: [B, 1, 1, 1]."""
    return (_uniform(pixels, random, 0, 1) < share).float()


def _random_blur(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Mix in a 3 x 3 mean, as a crop enlarged from fewer pixels has it."""
    share = _bernoulli(pixels, random, most.blur) * _uniform(pixels, random, 0, 1)
    wide = functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    wide = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]  # sums of shifts: ten times faster than avg_pool2d here
    wide = wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]
    return pixels.lerp(wide.mul_(1 / 9), share)


def _random_color(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Grey for some; contrast about the crop's mean, brightness, and a gain for each colour."""
    grey = pixels.mean(dim=1, keepdim=True)
    pixels = pixels.lerp(grey, _bernoulli(pixels, random, most.grey))
    middle = grey.mean(dim=(2, 3), keepdim=True)
    gain = 1 + _uniform(pixels, random, -most.contrast, most.contrast)
    gain = gain * (1 + _uniform(pixels, random, -most.colour, most.colour, 3))
    offset = middle * (1 - gain) + _uniform(pixels, random, -most.brightness, most.brightness)
    return pixels.mul_(gain).add_(offset)


def _random_cutout(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Cover a rectangle of some crops with one shade, as a hand or hair does."""
    size = pixels.shape[-1]
    place = torch.arange(size, device=pixels.device) / size

    def random_interval() -> Tensor:
        side = _uniform(pixels, random, *CUTOUT_SIDE)[:, 0, 0]
        start = torch.rand(len(pixels), 1, generator=random, device=random.device) * (1 - side)
        return (place >= start) & (place < start + side)

    happens = _bernoulli(pixels, random, most.cutout).bool()
    mask = random_interval()[:, None, :, None] & random_interval()[:, None, None, :] & happens
    return torch.where(mask, _uniform(pixels, random, 0, 1), pixels)
