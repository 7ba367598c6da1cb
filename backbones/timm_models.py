"""Specs and networks of timm models; loading pretrained weights fails fast when offline."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any, cast

import timm
from timm.models import get_pretrained_cfg
from torch import nn

from backbones.errors import BackboneError, unknown_name_error
from backbones.proxies import proxy_advice
from backbones.spec import AFFECTNET, TIMM_SOURCE, BackboneSpec, Preprocessing

HUB_TIMEOUT_SECONDS = 3.0
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def _check_model_name(model: str) -> None:
    if not timm.is_model(model):
        raise unknown_name_error("timm model", model, timm.list_models())


def timm_spec(name: str) -> BackboneSpec:
    """Return the spec of a timm model with the input size, interpolation, mean and std of its pretrained weights.

    timm's center crop is not applied, since a face crop has no margin. With random weights, the classifier has the
    eight AffectNet classes.

    Parameters
    ----------
    name : str
        `timm:<model>`.

    Returns
    -------
    BackboneSpec
        The spec.

    Raises
    ------
    BackboneError
        If the model is unknown or timm does not describe its input.
    """
    model = name.removeprefix("timm:")
    _check_model_name(model)
    card = get_pretrained_cfg(model)
    if card is None:
        raise BackboneError(f"timm model '{model}' has no description of its input", "choose another timm model")
    size = card.input_size[-1]
    interpolation = card.interpolation if card.interpolation in ("bilinear", "bicubic", "nearest") else "bilinear"
    tag = card.tag if card.has_weights else None
    source = f"{TIMM_SOURCE}{model}.{tag}" if tag else "timm"
    return BackboneSpec(
        name,
        f"timm:{model}",
        Preprocessing(size, interpolation, 1.0, _rgb(card.mean), _rgb(card.std)),
        AFFECTNET,
        card.license or "unknown",
        source,
        tag,
    )


def _rgb(values: Any) -> tuple[float, float, float]:
    return cast("tuple[float, float, float]", values)


def create(model: str, classes: int) -> nn.Module:
    """Create a randomly initialized timm model.

    Parameters
    ----------
    model : str
        Name of the model in timm.
    classes : int
        Columns of the classifier.

    Returns
    -------
    nn.Module
        The network.

    Raises
    ------
    BackboneError
        If the model is unknown.
    """
    _check_model_name(model)
    return timm.create_model(model, pretrained=False, num_classes=classes)


def create_pretrained(model: str, tag: str) -> nn.Module:
    """Create a timm model with pretrained weights and the classifier that belongs to them.

    Parameters
    ----------
    model : str
        Name of the model in timm.
    tag : str
        Tag of the weights.

    Returns
    -------
    nn.Module
        The network.

    Raises
    ------
    BackboneError
        If the model or the tag is unknown, or the weights are not cached and cannot be downloaded. An unreachable
        server is reported within seconds.
    """
    _check_model_name(model)
    tags = {name.partition(".")[2] for name in timm.list_pretrained(f"{model}.*")}
    if tag not in tags:
        raise unknown_name_error(f"pretrained tag of timm:{model}", tag, tags)
    card = get_pretrained_cfg(f"{model}.{tag}")
    if not _is_cached(card):
        _check_hub_reachable(f"{model}.{tag}")
    try:
        return timm.create_model(f"{model}.{tag}", pretrained=True)
    except Exception as error:
        raise _download_error(f"{model}.{tag}", f"{type(error).__name__}: {error}") from error


def _is_cached(card: Any) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(card.hf_hub_id, file), str) for file in WEIGHT_FILES)


def _check_hub_reachable(weights: str) -> None:
    """Check with a short request whether the hub is reachable; the hub's client would retry for most of a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        raise _download_error(weights, "HF_HUB_OFFLINE is set and the weights are not in the local cache")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the user's own setting
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT_SECONDS).close()  # noqa: S310 - the user's own setting
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        reason = f"{endpoint} does not answer: {getattr(error, 'reason', error)}{proxy_advice(endpoint)}"
        raise _download_error(weights, reason) from error


def _download_error(weights: str, reason: str) -> BackboneError:
    return BackboneError(
        f"the weights {weights} cannot be downloaded ({reason})",
        "use NAME@random for an untrained network or the name of a trained or imported backbone, "
        "or run once with access to the hub",
    )
