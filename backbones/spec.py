"""Descriptions of backbones: architecture, preprocessing and metadata. This module does not import torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.errors import BackboneError

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
"""The eight AffectNet classes in alphabetical order, as in published emotion networks (Savchenko 2022)."""

CLASS_SYNONYMS = {
    "angry": "Anger",
    "disgusted": "Disgust",
    "fearful": "Fear",
    "happy": "Happiness",
    "sad": "Sadness",
    "surprised": "Surprise",
}
"""AffectNet's class name for each synonym; synonyms are in lower case."""

TIMM_SOURCE = "https://huggingface.co/timm/"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_INPUT_SIZE = 8192
ONNX_CONSTRUCTOR = "backbones.onnx_network:OnnxNetwork"
"""The constructor of networks that ONNX Runtime runs."""

MAX_NUMBER = 1e30
"""Upper bound of the absolute values of mean, std and value range."""
INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "lanczos")
ALIGNMENTS = ("none", "five_point")


@dataclass(frozen=True)
class Preprocessing:
    """Conversion of a uint8 RGB crop of any size to the input of a network.

    The crop is resized to `input_size` x `input_size` pixels, ignoring its aspect ratio and without a center crop
    (a face crop has no margin), scaled to the range [0, `value_range`] and normalized as `(x - mean) / std`.

    Attributes
    ----------
    input_size : int
        Height and width in pixels, from 1 to 8192.
    interpolation : str
        `bilinear`, `bicubic`, `nearest` or `lanczos`.
    value_range : float
        Largest value before the normalization, usually 1.0 or 255.0.
    mean, std : tuple of float
        Mean and standard deviation of R, G and B; by default those of ImageNet.
    resize : str
        Resizing rule; only `square` is supported.
    align : str
        `none`, or `five_point` for faces that are aligned by five landmarks before they are resized.

    Raises
    ------
    BackboneError
        If a value is invalid.
    """

    input_size: int
    interpolation: str = "bilinear"
    value_range: float = 1.0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resize: str = "square"
    align: str = "none"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise BackboneError(f"unknown interpolation '{self.interpolation}'", f"known: {', '.join(INTERPOLATIONS)}")
        if self.resize != "square":
            raise BackboneError(f"unknown resize rule '{self.resize}'", "known: square")
        if self.align not in ALIGNMENTS:
            raise BackboneError(f"unknown alignment '{self.align}'", f"known: {', '.join(ALIGNMENTS)}")
        if not isinstance(self.input_size, int) or not 1 <= self.input_size <= MAX_INPUT_SIZE:
            raise BackboneError(f"input size {self.input_size!r} is not an integer from 1 to {MAX_INPUT_SIZE}")
        if not isinstance(self.mean, (tuple, list)) or not isinstance(self.std, (tuple, list)):
            raise BackboneError(f"mean {self.mean!r} and std {self.std!r} are not three numbers each")
        numbers = (self.value_range, *self.mean, *self.std)
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(_is_finite, numbers)):
            raise BackboneError(
                f"value range {self.value_range!r} is not a number, or mean {self.mean} and std {self.std} are not "
                "three numbers each"
            )
        if min(self.value_range, *self.std) <= 0:
            raise BackboneError(f"value range {self.value_range} and std {self.std} are not all positive")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; the result is part of the key of cached features.

        `align` is left out if it is `none`, so that the keys of earlier versions stay valid.
        """
        fields = dataclasses.asdict(self)
        if self.align == "none":
            del fields["align"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Preprocessing:
        """Create an instance from the result of `as_dict`.

        Parameters
        ----------
        fields : mapping
            The fields; fields with a default may be omitted.

        Returns
        -------
        Preprocessing
            The instance.

        Raises
        ------
        BackboneError
            If a field is unknown, missing or invalid.
        """
        try:
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
            }
            return cls(**values)
        except (TypeError, AttributeError) as error:
            raise BackboneError(f"invalid preprocessing: {error}") from error


def canonical_class(name: str) -> str:
    """Replace a synonym of an AffectNet class by the name of the class; return any other name unchanged.

    Examples
    --------
    >>> [canonical_class(name) for name in ("happy", "SAD", "neutral", "AU12")]
    ['Happiness', 'Sadness', 'neutral', 'AU12']
    """
    return CLASS_SYNONYMS.get(name.strip().lower(), name)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < MAX_NUMBER


@dataclass(frozen=True)
class BackboneSpec:
    """Architecture and preprocessing of a backbone.

    Attributes
    ----------
    name : str
        Name of the architecture.
    constructor : str
        `timm:<model>` or `<module>:<callable that takes the number of classes>`.
    preprocessing : Preprocessing
        The preprocessing that the weights expect.
    score_labels : tuple of str
        Names of the score columns; empty if they are unnamed (identities, ImageNet classes). Unnamed scores can serve
        as features but are not emotions.
    licence : str
        License of the weights.
    source : str
        Source of the weights.
    tag : str or None
        The timm tag of the default pretrained weights.
    score_width : int or None
        Number of score columns, used if they are unnamed; 0 for no classifier, None if unknown.
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
        """Height and width of the input in pixels."""
        return self.preprocessing.input_size

    @property
    def is_onnx(self) -> bool:
        """Whether the network runs through ONNX Runtime; `make_trainable` converts it to torch."""
        return self.constructor == ONNX_CONSTRUCTOR

    @property
    def classes(self) -> int:
        """Number of columns of the classifier when the network is constructed; 1 if it is unknown."""
        return len(self.score_labels) or (1 if self.score_width is None else self.score_width)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "preprocessing": self.preprocessing.as_dict(), "score_labels": list(self.score_labels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> BackboneSpec:
        """Create an instance from the result of `as_dict`."""
        preprocessing = Preprocessing.from_dict(fields["preprocessing"])
        return cls(**{**fields, "preprocessing": preprocessing, "score_labels": tuple(fields["score_labels"])})


@dataclass(frozen=True)
class BackboneInfo:
    """Metadata of a backbone; `backbones.load(reference, checkpoints)` returns the backbone itself.

    Attributes
    ----------
    reference : str
        NAME[@WEIGHTS], see `backbones.loading`.
    label : str
        The name shown in results, which marks random weights.
    weights : str
        `random (seed 0)`, `checkpoint <name>`, `timm <tag>` or `file <name>`.
    weights_hash : str
        SHA-256 hex digest, see `hash_weights`; for an ONNX network, the digest of its file.
    is_random : bool
        Whether the weights are untrained.
    embedding_width, score_width : int
        Number of embedding and score columns.
    score_labels : tuple of str
        Names of the score columns; empty if they are unnamed.
    parameters : int
        Number of parameters.
    macs : int or None
        Multiply-accumulates per crop; None if they cannot be counted.
    size_mb : float
        Size of the weights in units of 10^6 bytes.
    spec : BackboneSpec
        Architecture and preprocessing.
    checkpoints : Path or None
        Folder of the trained and imported backbones that `reference` may name.
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
        """Return the fields except `checkpoints` as JSON types."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "checkpoints"}
        return {**fields, "spec": self.spec.as_dict(), "score_labels": list(self.score_labels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], checkpoints: Path | None = None) -> BackboneInfo:
        """Create an instance from the result of `as_dict`."""
        labels, spec = tuple(fields["score_labels"]), BackboneSpec.from_dict(fields["spec"])
        return cls(**{**fields, "score_labels": labels, "spec": spec, "checkpoints": checkpoints})
