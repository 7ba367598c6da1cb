"""What a backbone is, without building it: no torch here, so that listing and keying stay light."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.errors import BackboneError

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
"""AffectNet's eight classes, alphabetical: the score order of published emotion networks (Savchenko 2022)."""

TIMM_SOURCE = "https://huggingface.co/timm/"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_INPUT_SIZE = 8192
ONNX_CONSTRUCTOR = "backbones.onnx_network:OnnxNetwork"
"""The constructor of networks that ONNX Runtime runs."""

INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "lanczos")


@dataclass(frozen=True)
class Preprocessing:
    """From a uint8 RGB crop of any size to what the weights were trained on.

    The crop is resized to input_size x input_size without keeping its aspect ratio and without a centre crop
    (a face crop has no margin to spare), scaled to [0, value_range], then (x - mean) / std for each of R, G, B.
    """

    input_size: int
    interpolation: str = "bilinear"
    value_range: float = 1.0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resize: str = "square"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise BackboneError(f"unknown interpolation '{self.interpolation}'", f"known: {', '.join(INTERPOLATIONS)}")
        if self.resize != "square":
            raise BackboneError(f"unknown resize rule '{self.resize}'", "known: square")
        if not isinstance(self.input_size, int) or not 1 <= self.input_size <= MAX_INPUT_SIZE:
            raise BackboneError(f"input size {self.input_size!r} is no whole number from 1 to {MAX_INPUT_SIZE}")
        numbers = (self.value_range, *self.mean, *self.std)
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(_is_finite, numbers)):
            raise BackboneError(f"mean {self.mean} and std {self.std} are not three numbers each")
        if min(self.value_range, *self.std) <= 0:
            raise BackboneError(f"value range {self.value_range} and std {self.std} are not all positive")

    def as_dict(self) -> dict[str, Any]:
        """JSON types; part of the key of a feature entry."""
        fields = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `as_dict`; BackboneError for an unknown or missing key."""
        try:
            return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
        except (TypeError, AttributeError) as error:
            raise BackboneError(f"preprocessing is not understood: {error}") from error


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


@dataclass(frozen=True)
class BackboneSpec:
    """A named network and the preprocessing bound to its weights.

    constructor: `timm:<model>` or `<module>:<callable taking the number of classes>`.
    tag: the timm pretrained tag that the bare name stands for; None when there is none.
    score_labels: names of the score columns of a classifier made here; () when the columns have no names
    (identities, ImageNet classes): such scores are usable as features but are not emotions.
    score_width: number of columns when they have no names; 0: no classifier.
    """

    name: str
    constructor: str
    preprocessing: Preprocessing
    score_labels: tuple[str, ...]
    licence: str
    source: str
    tag: str | None = None
    score_width: int | None = None

    @property
    def input_size(self) -> int:
        return self.preprocessing.input_size

    @property
    def trainable(self) -> bool:
        """Whether a network made from this spec can be trained here."""
        return self.constructor != ONNX_CONSTRUCTOR

    @property
    def classes(self) -> int:
        """Columns of the classifier of a network made from this spec."""
        return len(self.score_labels) or (1 if self.score_width is None else self.score_width)

    def as_dict(self) -> dict[str, Any]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "preprocessing": self.preprocessing.as_dict(), "score_labels": list(self.score_labels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> BackboneSpec:
        preprocessing = Preprocessing.from_dict(fields["preprocessing"])
        return cls(**{**fields, "preprocessing": preprocessing, "score_labels": tuple(fields["score_labels"])})


@dataclass(frozen=True)
class BackboneInfo:
    """What is known of a backbone with its weights, without holding them.

    label: how results show it (random weights are named as such). weights: `random (seed 0)`,
    `checkpoint <name>` or `timm <tag>`. macs: multiply-accumulates of one crop, None where they cannot be counted.
    size_mb: weights in 10^6 bytes.
    `backbones.load(reference, checkpoints)` gives the backbone itself.
    """

    reference: str
    label: str
    weights: str
    weights_hash: str
    is_random: bool
    embedding_width: int
    score_width: int
    score_labels: tuple[str, ...]
    parameters: int
    macs: int | None
    size_mb: float
    spec: BackboneSpec
    checkpoints: Path | None = dataclasses.field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "checkpoints"}
        return {**fields, "spec": self.spec.as_dict(), "score_labels": list(self.score_labels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], checkpoints: Path | None = None) -> BackboneInfo:
        labels, spec = tuple(fields["score_labels"]), BackboneSpec.from_dict(fields["spec"])
        return cls(**{**fields, "score_labels": labels, "spec": spec, "checkpoints": checkpoints})
