"""Random augmentation of batches of face crops; every change is drawn for each crop separately."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

MAX_ASPECT_RATIO = 4 / 3
"""Largest ratio of the longer to the shorter side of a random crop (Szegedy et al. 2015, arXiv 1409.4842)."""

MAX_STRIDE = 1.5
"""Largest distance of neighboring samples, in image pixels, at which images are sampled without averaging."""


def resample(pixels: Tensor, theta: Tensor, size: int) -> Tensor:
    """Resample images by affine transforms; the border of an image is repeated outside of it.

    If the images are much larger than the result, they are sampled on a finer grid, which is then averaged.

    Parameters
    ----------
    pixels : Tensor of shape (B, 3, P, P)
        float32.
    theta : Tensor of shape (B, 2, 3)
        See `torch.nn.functional.affine_grid`.
    size : int
        Size of the result.

    Returns
    -------
    Tensor of shape (B, 3, size, size)
    """
    finer = max(1, math.ceil(pixels.shape[-1] / size / MAX_STRIDE))
    shape = [len(pixels), pixels.shape[1], finer * size, finer * size]
    grid = functional.affine_grid(theta, shape, align_corners=False)
    sampled = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return sampled if finer == 1 else functional.avg_pool2d(sampled, finer)


def random_affine(  # noqa: PLR0913 - one strength for each change
    count: int, random: torch.Generator, shift: float, scale: float, stretch: float, rotation: float, flip: bool
) -> Tensor:
    """Draw random affine transforms.

    Parameters
    ----------
    count : int
    random : torch.Generator
    shift, scale, stretch : float
        Largest changes as shares of the crop.
    rotation : float
        Largest angle in radians.
    flip : bool
        Mirror about half of the crops.

    Returns
    -------
    Tensor of shape (count, 2, 3)
    """

    def uniform(width: float) -> Tensor:
        return (torch.rand(count, generator=random, device=random.device) * 2 - 1) * width

    side = random_flip_signs(count, random) if flip else torch.ones(count, device=random.device)
    size, wider, angle = 1 + uniform(scale), 1 + uniform(stretch), uniform(rotation)
    cos, sin, right, down = size * angle.cos(), size * angle.sin(), 2 * uniform(shift), 2 * uniform(shift)
    across = torch.stack([side * cos * wider, -side * sin, right], dim=1)
    along = torch.stack([sin * wider, cos, down], dim=1)
    return torch.stack([across, along], dim=1)


def random_flip_signs(count: int, random: torch.Generator) -> Tensor:
    """Draw -1 or 1 with equal probability; shape [count]."""
    return torch.where(torch.rand(count, generator=random, device=random.device) < 0.5, -1.0, 1.0)


def random_crop(theta: Tensor, random: torch.Generator, least: float) -> Tensor:
    """Restrict affine transforms to a random window of the image.

    The logarithm of the window's aspect ratio is uniform. The largest ratio is `MAX_ASPECT_RATIO`, or less if the
    window would not fit into the image.

    Parameters
    ----------
    theta : Tensor of shape (B, 2, 3)
    random : torch.Generator
    least : float
        Smallest share of the area that the window covers.

    Returns
    -------
    Tensor of shape (B, 2, 3)
    """

    def uniform() -> Tensor:
        return torch.rand(len(theta), generator=random, device=random.device)

    area = least + (1 - least) * uniform()
    ratio = torch.exp((2 * uniform() - 1) * torch.clamp(-area.log(), max=math.log(MAX_ASPECT_RATIO)))
    half = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1)
    position = torch.stack([uniform(), uniform()], dim=1)
    center = (1 - half) * (2 * position - 1)
    windowed = theta * half[:, :, None]
    windowed[:, :, 2] += center
    return windowed


@dataclass(frozen=True)
class Strengths:
    """Largest changes of each kind.

    Attributes
    ----------
    shift, scale, stretch : float
        Shares of the crop.
    rotation : float
        Angle in radians.
    brightness : float
        Share of the value range.
    contrast, color : float
        Relative changes of the contrast and of the gain of each color channel.
    noise : float
        Standard deviation of the noise, for pixel values from 0 to 1.
    gray, blur, cutout : float
        Share of the crops that are converted to gray, blurred or partly covered.
    """

    shift: float = 0.08
    scale: float = 0.14
    stretch: float = 0.06
    rotation: float = math.radians(10)
    brightness: float = 0.2
    contrast: float = 0.35
    color: float = 0.12
    gray: float = 0.25
    blur: float = 0.4
    noise: float = 0.05
    cutout: float = 0.4

    def multiply(self, strength: float) -> Strengths:
        """Multiply all changes by a factor."""
        return Strengths(**{f.name: strength * getattr(self, f.name) for f in fields(self)})


CUTOUT_SIDE = (0.15, 0.4)
"""Smallest and largest side of a cutout, as shares of the crop."""


def augment(  # noqa: PLR0913 - one strength for each change
    pixels: Tensor,
    random: torch.Generator,
    strength: float = 1.0,
    flip: bool = True,
    crop: float = 1.0,
    size: int | None = None,
    geometry: float | None = None,
) -> Tensor:
    """Augment a batch of crops; the result depends only on the arguments and on the state of `random`.

    Parameters
    ----------
    pixels : Tensor of shape (B, 3, P, P)
        float32 in [0, 1].
    random : torch.Generator
        On the device of `pixels`.
    strength : float
        Factor of the changes in `Strengths`, except shift, scale, stretch and rotation if `geometry` is given.
    flip : bool
        Mirror about half of the crops.
    crop : float
        Smallest share of the image's area that a random crop covers; 1 for no random crops.
    size : int, optional
        Size of the result. Default: P.
    geometry : float, optional
        Factor of shift, scale, stretch and rotation. Default: `strength`.

    Returns
    -------
    Tensor of shape (B, 3, size, size)
    """
    size = size or pixels.shape[-1]
    most, geometry = Strengths().multiply(strength), strength if geometry is None else geometry
    pixels = _random_geometry(pixels, random, Strengths().multiply(geometry) if geometry else None, flip, crop, size)
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
    """Crop, flip, shift, scale, stretch and rotate with one resampling; a flip alone needs none."""
    if most is None and crop == 1 and size == pixels.shape[-1]:
        mirror = random_flip_signs(len(pixels), random)[:, None, None, None] < 0 if flip else None
        return pixels if mirror is None else torch.where(mirror, pixels.flip(3), pixels)
    shift, scale, stretch, rotation = (most.shift, most.scale, most.stretch, most.rotation) if most else (0.0,) * 4
    theta = random_affine(len(pixels), random, shift, scale, stretch, rotation, flip)
    if crop < 1:
        theta = random_crop(theta, random, crop)
    return resample(pixels.contiguous(), theta, size)


def _uniform(pixels: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Draw uniform numbers of shape [B, channels, 1, 1]."""
    uniform = torch.rand(len(pixels), channels, 1, 1, generator=random, device=random.device)
    return uniform * (high - low) + low


def _bernoulli(pixels: Tensor, random: torch.Generator, share: float) -> Tensor:
    """Draw 1 with probability `share`, otherwise 0; shape [B, 1, 1, 1]."""
    return (_uniform(pixels, random, 0, 1) < share).float()


def _random_blur(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Blend some crops with their 3 x 3 means, to simulate enlarged small crops."""
    share = _bernoulli(pixels, random, most.blur) * _uniform(pixels, random, 0, 1)
    sums = functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    sums = sums[..., :-2] + sums[..., 1:-1] + sums[..., 2:]  # ten times faster than avg_pool2d
    sums = sums[:, :, :-2] + sums[:, :, 1:-1] + sums[:, :, 2:]
    return pixels.lerp(sums.mul_(1 / 9), share)


def _random_color(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Convert some crops to gray; change the brightness, the contrast and the gain of each color channel."""
    gray = pixels.mean(dim=1, keepdim=True)
    pixels = pixels.lerp(gray, _bernoulli(pixels, random, most.gray))
    middle = gray.mean(dim=(2, 3), keepdim=True)
    gain = 1 + _uniform(pixels, random, -most.contrast, most.contrast)
    gain = gain * (1 + _uniform(pixels, random, -most.color, most.color, 3))
    offset = middle * (1 - gain) + _uniform(pixels, random, -most.brightness, most.brightness)
    return pixels.mul_(gain).add_(offset)


def _random_cutout(pixels: Tensor, random: torch.Generator, most: Strengths) -> Tensor:
    """Cover a rectangle of some crops with one gray value, to simulate occlusion."""
    size = pixels.shape[-1]
    position = torch.arange(size, device=pixels.device) / size

    def random_interval() -> Tensor:
        side = _uniform(pixels, random, *CUTOUT_SIDE)[:, 0, 0]
        start = torch.rand(len(pixels), 1, generator=random, device=random.device) * (1 - side)
        return (position >= start) & (position < start + side)

    covered = _bernoulli(pixels, random, most.cutout).bool()
    mask = random_interval()[:, None, :, None] & random_interval()[:, None, None, :] & covered
    return torch.where(mask, _uniform(pixels, random, 0, 1), pixels)
