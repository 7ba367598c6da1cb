"""Identity of a rendered person: shape, colors and accessories that are the same in all frames.

Positions (u, v) on the face are in face units: u = 0 is the midline, v = 0 the line of the eyes, and the chin is near
v = 1.35 (v points down). One unit is about 47 pixels in a crop of 112 x 112 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

TEXTURE_SIZE = 128
HAIR_COLORS = (
    (0.05, 0.04, 0.04),
    (0.16, 0.10, 0.07),
    (0.32, 0.20, 0.12),
    (0.55, 0.38, 0.22),
    (0.78, 0.64, 0.42),
    (0.55, 0.25, 0.12),
    (0.62, 0.60, 0.58),
    (0.85, 0.84, 0.82),
)
IRIS_COLORS = (
    (0.22, 0.13, 0.07),
    (0.34, 0.22, 0.12),
    (0.42, 0.34, 0.18),
    (0.36, 0.46, 0.34),
    (0.36, 0.50, 0.64),
    (0.50, 0.56, 0.60),
)
SKIN_TONES = (
    (0.33, 0.23, 0.18),
    (0.46, 0.32, 0.25),
    (0.60, 0.45, 0.36),
    (0.75, 0.59, 0.49),
    (0.86, 0.69, 0.58),
    (0.95, 0.81, 0.73),
)


@dataclass(frozen=True, eq=False)
class Identity:
    """Appearance of one person.

    Attributes
    ----------
    hair : {"bald", "short", "cap", "long", "receding"}
    glasses : {"none", "thin", "thick", "dark"}
    expressiveness : float
        Factor of the intensities of all expressions.
    skin, lips, hair_color, brow_color, iris : float32 array of shape (3,)
        Colors in linear light, from 0 to 1.
    grain : float32 array of shape (128, 128)
        Tiling noise texture.

    Notes
    -----
    The remaining fields are lengths in face units, or strengths without a unit.
    """

    half_width: float
    chin: float
    top: float
    taper: float
    squareness: float
    depth: float
    eye_distance: float
    eye_width: float
    eye_opening: float
    eye_tilt: float
    lid_crease: float
    lashes: float
    brow_height: float
    brow_arch: float
    brow_thickness: float
    brow_density: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_height: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    corner_rest: float
    cheek: float
    age: float
    gloss: float
    mottling: float
    hair: str
    hairline: float
    hair_volume: float
    hair_curve: float
    beard: float
    moustache: float
    glasses: str
    expressiveness: float
    skin: np.ndarray
    lips: np.ndarray
    hair_color: np.ndarray
    brow_color: np.ndarray
    iris: np.ndarray
    grain: np.ndarray


def _to_linear_light(color: np.ndarray) -> np.ndarray:
    return np.square(np.clip(color, 0.0, 1.0)).astype(np.float32)


def _sample_grain(rng: np.random.Generator) -> np.ndarray:
    """Sample a tiling noise texture of three scales with zero mean and unit standard deviation, float32 (128, 128)."""
    octaves = [
        gaussian_filter(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE)), sigma, mode="wrap") for sigma in (0.6, 2, 6)
    ]
    grain = sum(octave / octave.std() for octave in octaves)
    return (grain / grain.std()).astype(np.float32)


def _sample_skin(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Sample the level of the skin tone, 0 (very dark) to 5 (very light), and its display color (3,)."""
    level = rng.uniform(0, len(SKIN_TONES) - 1)
    warmth = rng.normal(0, 0.018)
    tone = [np.interp(level, range(len(SKIN_TONES)), channel) for channel in zip(*SKIN_TONES)]
    return level, np.array(tone) + np.array([warmth, 0.0, -warmth])


def _sample_hair(rng: np.random.Generator) -> tuple[str, float, float]:
    style = str(rng.choice(["bald", "short", "cap", "long", "receding"], p=[0.26, 0.28, 0.16, 0.2, 0.1]))
    hairline = {"receding": -0.86, "cap": -0.5}.get(style, -0.66) + rng.normal(0, 0.05)
    return style, float(hairline), float(rng.uniform(0.03, 0.2))


def sample_identity(rng: np.random.Generator) -> Identity:
    """Sample the appearance of a person; generators in the same state give the same person."""
    level, skin = _sample_skin(rng)
    style, hairline, volume = _sample_hair(rng)
    hair = np.array(HAIR_COLORS[rng.integers(2 if level < 1.5 else len(HAIR_COLORS))]) * rng.uniform(0.8, 1.15)
    rouge = rng.uniform(0.25, 0.9) if rng.random() < 0.2 else rng.uniform(0, 0.2)
    lips = skin * [0.92, 0.72, 0.74] * (1 - rouge) + np.array([0.72, 0.16, 0.2]) * rouge * (0.5 + skin.mean() / 2)
    iris = np.array(IRIS_COLORS[rng.integers(2 if level < 2.2 else len(IRIS_COLORS))])
    bearded = rng.random() < 0.22
    return Identity(
        half_width=rng.normal(0.93, 0.05),
        chin=rng.normal(1.36, 0.07),
        top=rng.normal(-1.18, 0.07),
        taper=rng.uniform(0.12, 0.42),
        squareness=rng.uniform(2.0, 2.9),
        depth=rng.normal(0.85, 0.06),
        eye_distance=rng.normal(0.41, 0.022),
        eye_width=rng.normal(0.205, 0.016),
        eye_opening=rng.normal(0.08, 0.012),
        eye_tilt=rng.normal(0.06, 0.06),
        lid_crease=rng.uniform(0.2, 1.0),
        lashes=rng.uniform(0.35, 1.0),
        brow_height=rng.normal(0.27, 0.025),
        brow_arch=rng.uniform(0.02, 0.1),
        brow_thickness=rng.uniform(0.025, 0.06),
        brow_density=rng.uniform(0.6, 0.97),
        brow_tilt=rng.normal(0.0, 0.02),
        nose_length=rng.normal(0.5, 0.035),
        nose_width=rng.normal(0.15, 0.02),
        nose_height=rng.normal(0.3, 0.05),
        mouth_height=rng.normal(0.86, 0.035),
        mouth_width=rng.normal(0.335, 0.03),
        upper_lip=rng.uniform(0.045, 0.1),
        lower_lip=rng.uniform(0.065, 0.125),
        corner_rest=rng.normal(0.0, 0.012),
        cheek=rng.uniform(0.5, 1.5),
        age=rng.beta(1.3, 2.2),
        gloss=rng.uniform(0.0, 0.35),
        mottling=rng.uniform(0.01, 0.06),
        hair=style,
        hairline=hairline,
        hair_volume=volume,
        hair_curve=rng.uniform(0.1, 0.75),
        beard=rng.uniform(0.3, 0.95) if bearded else 0.0,
        moustache=rng.uniform(0.4, 0.95) if bearded or rng.random() < 0.06 else 0.0,
        glasses=str(rng.choice(["none", "thin", "thick", "dark"], p=[0.83, 0.08, 0.07, 0.02])),
        expressiveness=rng.uniform(0.75, 1.1),
        skin=_to_linear_light(skin),
        lips=_to_linear_light(lips),
        hair_color=_to_linear_light(hair),
        brow_color=_to_linear_light(hair * rng.uniform(0.35, 0.75)),
        iris=_to_linear_light(iris),
        grain=_sample_grain(rng),
    )
