"""The catalogue of named backbones; to add one, add a `BackboneSpec` here. This module does not import torch."""

from __future__ import annotations

from backbones.errors import BackboneError, unknown_name_error
from backbones.spec import AFFECTNET, TIMM_SOURCE, BackboneSpec, Preprocessing

TIMM_PREFIX = "timm:"


def _timm_spec(name: str, model: str, tag: str, size: int) -> BackboneSpec:
    """Return a timm spec with the preprocessing of published emotion weights (bilinear, ImageNet mean and std)."""
    return BackboneSpec(
        name, f"{TIMM_PREFIX}{model}", Preprocessing(size), AFFECTNET, "apache-2.0", f"{TIMM_SOURCE}{model}.{tag}", tag
    )


def _tiny_spec(name: str) -> BackboneSpec:
    return BackboneSpec(name, f"backbones.tiny:{name}", Preprocessing(64), AFFECTNET, "apache-2.0", "this project")


VGGFACE = BackboneSpec(
    "vggface",
    "backbones.vggface:VGGFace",
    Preprocessing(224, value_range=255.0, mean=(129.186, 104.762, 93.594), std=(1.0, 1.0, 1.0)),
    (),
    "cc-by-nc-4.0 (weights; supplied by the user)",
    "Parkhi, Vedaldi, Zisserman 2015, Deep Face Recognition",
    score_width=2622,
)

SPECS = {
    spec.name: spec
    for spec in (
        _timm_spec("efficientnet_b0", "tf_efficientnet_b0", "ns_jft_in1k", 224),
        _timm_spec("efficientnet_b2", "tf_efficientnet_b2", "ns_jft_in1k", 260),
        BackboneSpec(
            "mobilenet_v1",
            "timm:mobilenetv1_100",
            Preprocessing(224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
            AFFECTNET,
            "apache-2.0",
            f"{TIMM_SOURCE}mobilenetv1_100.ra4_e3600_r224_in1k",
            "ra4_e3600_r224_in1k",
        ),
        _timm_spec("mobilenet_v3", "mobilenetv3_large_100", "ra_in1k", 224),
        _timm_spec("mobilenet_v4_small", "mobilenetv4_conv_small", "e2400_r224_in1k", 224),
        BackboneSpec(
            "mobilefacenet",
            "backbones.mobilefacenet:MobileFaceNet",
            Preprocessing(112, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
            AFFECTNET,
            "apache-2.0",
            "this project, after Chen et al. 2018 and InsightFace's layout",
        ),
        VGGFACE,
        _tiny_spec("tiny_resnet"),
        _tiny_spec("tiny_mobilenet"),
    )
}


def names() -> tuple[str, ...]:
    """Return the names of the catalogue in display order; `timm:<model>` is accepted in addition to them.

    Examples
    --------
    >>> import backbones
    >>> "efficientnet_b0" in backbones.names()
    True
    """
    return tuple(SPECS)


def spec(name: str) -> BackboneSpec:
    """Return the spec of a backbone.

    Parameters
    ----------
    name : str
        A catalogue name or `timm:<model>`.

    Returns
    -------
    BackboneSpec
        The spec of the backbone with that name.

    Raises
    ------
    BackboneError
        If the name is unknown; the message suggests similar names or lists valid ones.

    Examples
    --------
    >>> import backbones
    >>> spec = backbones.spec("mobilefacenet")
    >>> spec.input_size, spec.classes
    (112, 8)
    """
    if name in SPECS:
        return SPECS[name]
    if name.startswith(TIMM_PREFIX):
        from backbones.timm_models import timm_spec

        return timm_spec(name)
    raise unknown_name_error("backbone", name, SPECS)


def constructor(name: str) -> str:
    """Return the constructor of a named architecture without importing timm.

    Parameters
    ----------
    name : str
        A catalogue name or `timm:<model>`; whether timm has the model is not checked.

    Returns
    -------
    str
        See `BackboneSpec.constructor`.

    Raises
    ------
    BackboneError
        If the name is not in the catalogue and does not start with `timm:`.
    """
    if name in SPECS:
        return SPECS[name].constructor
    if name.startswith(TIMM_PREFIX):
        return name
    raise BackboneError(f"unknown architecture '{name}'", f"known: {', '.join(SPECS)}, timm:<model>")
