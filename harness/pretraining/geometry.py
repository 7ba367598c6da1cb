"""Where each pixel of an augmented crop comes from: one affine resampling of the picture, drawn for each by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ASPECT = 4 / 3
"""Most that a random crop is wider than high, or higher than wide (Szegedy et al. 2015, arXiv 1409.4842)."""

COARSEST = 1.5
"""Pixels of the picture between neighbours of the crop, above which bilinear sampling would leave too many out."""


def resample(pixels: Tensor, theta: Tensor, size: int) -> Tensor:
    """float32 [B, 3, P, P] -> [B, 3, size, size] where `theta` [B, 2, 3] points; outside, the border repeats.

    A picture much larger than its crop is sampled on a grid so many times finer, whose means are the crop.
    """
    finer = max(1, math.ceil(pixels.shape[-1] / size / COARSEST))
    shape = [len(pixels), pixels.shape[1], finer * size, finer * size]
    grid = functional.affine_grid(theta, shape, align_corners=False)
    moved = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return moved if finer == 1 else functional.avg_pool2d(moved, finer)


def jitter(count: int, random: torch.Generator, shift: float, scale: float, stretch: float, turn: float,
           flip: bool) -> Tensor:
    """[count, 2, 3]: mirrored or not, shifted, scaled, stretched and turned by up to these shares of the crop."""
    def draw(width: float) -> Tensor:
        return (torch.rand(count, generator=random, device=random.device) * 2 - 1) * width

    side = mirrored(count, random) if flip else torch.ones(count, device=random.device)
    size, wider, angle = 1 + draw(scale), 1 + draw(stretch), draw(turn)
    cos, sin, right, down = size * angle.cos(), size * angle.sin(), 2 * draw(shift), 2 * draw(shift)
    across = torch.stack([side * cos * wider, -side * sin, right], dim=1)
    along = torch.stack([sin * wider, cos, down], dim=1)
    return torch.stack([across, along], dim=1)


def mirrored(count: int, random: torch.Generator) -> Tensor:
    """[count]: -1 for about half, else 1."""
    return torch.where(torch.rand(count, generator=random, device=random.device) < 0.5, -1.0, 1.0)


def window(theta: Tensor, random: torch.Generator, least: float) -> Tensor:
    """`theta` within a random window of the picture of between `least` and all of its area.

    The window's aspect ratio is drawn evenly in its logarithm, up to ASPECT or what still fits the picture.
    """
    def draw() -> Tensor:
        return torch.rand(len(theta), generator=random, device=random.device)

    area = least + (1 - least) * draw()
    ratio = torch.exp((2 * draw() - 1) * torch.clamp(-area.log(), max=math.log(ASPECT)))
    half = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1)
    place = torch.stack([draw(), draw()], dim=1)
    centre = (1 - half) * (2 * place - 1)
    placed = theta * half[:, :, None]
    placed[:, :, 2] += centre
    return placed
