"""Check that a state dict fits a network, and load it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from torch import Tensor


def load_weights(network: Any, state: Mapping[str, Tensor], where: str, architecture: str) -> None:
    """Load a state dict into a network; raise BackboneError if it does not fit, see `check_state_dict`."""
    check_state_dict(state, network.state_dict(), where, architecture)
    network.load_state_dict(state)


def require_readable_dtypes(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise BackboneError for floating-point tensors of 8 bits or less, as their scales are not applied."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.element_size() < 2:
            raise BackboneError(
                f"{path} contains tensors of {str(tensor.dtype).removeprefix('torch.')}, such as "
                f"'{printable(name, 100)}', which are not supported",
                "save them as float32: {name: tensor.float() for name, tensor in state.items()}, with their scales "
                "applied",
            )


def check_state_dict(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    where: str,
    architecture: str,
    hint: str = "specify the architecture of the weights",
) -> None:
    """Check that a state dict has the expected tensors.

    Parameters
    ----------
    state : mapping of str to Tensor
        The tensors of a file.
    expected : mapping of str to Tensor
        Tensors with the expected names, shapes and dtypes; their values are not used.
    where : str
        Path of the file, for the message.
    architecture : str
        Name of the expected architecture, for the message.
    hint : str
        Advice for the user.

    Raises
    ------
    BackboneError
        If tensors are missing, unexpected, or of another shape or kind of dtype; the message lists up to three.
    """
    names = [*expected, *(name for name in state if name not in expected)]
    pairs = [(name, *_describe_tensors(state.get(name), expected.get(name))) for name in names]
    wrong = [f"{name}: {theirs} in the file, {ours} expected" for name, theirs, ours in pairs if theirs != ours]
    if wrong:
        shown = "; ".join(wrong[:3])
        count = "1 tensor does" if len(wrong) == 1 else f"{len(wrong)} tensors do"
        raise BackboneError(f"{where} does not contain the weights of {architecture}: {count} not fit ({shown})", hint)


def _describe_tensors(tensor: Tensor | None, expected: Tensor | None) -> tuple[str, str]:
    """Describe both tensors by shape, and by dtype if `tensor` cannot be converted to the expected real values."""
    theirs, ours = _format_shape(tensor), _format_shape(expected)
    if tensor is None or expected is None or not expected.is_floating_point():
        return theirs, ours
    is_real = tensor.is_floating_point() and tensor.element_size() > 1
    if is_real:
        return theirs, ours
    return f"{theirs} of {str(tensor.dtype).removeprefix('torch.')}", f"{ours} of float32"


def _format_shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else "x".join(map(str, tensor.shape)) or "scalar"
