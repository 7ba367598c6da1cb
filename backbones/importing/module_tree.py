"""Description of a pickled network: its tensors by name and the settings of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from backbones.importing.allowed_globals import GlobalName, MalformedPickleError
from backbones.importing.torch_pickle import PickledObject

MAX_LAYERS, MAX_DEPTH = 20_000, 64
WRAPPERS = ("torch.nn.parallel.data_parallel.DataParallel", "torch.nn.parallel.distributed.DistributedDataParallel")


@dataclass(frozen=True)
class Layer:
    """Layer of a pickled network.

    Attributes
    ----------
    kind : GlobalName
        Name of the layer's class.
    settings : mapping
        Public attributes of the layer that are numbers, strings, or tuples of numbers and strings.
    """

    kind: GlobalName
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ModuleTree:
    """Layers and tensors of a pickled network.

    Attributes
    ----------
    layers : mapping of str to Layer
        Layers by path; "" is the network itself.
    tensors : mapping of str to Tensor
        Parameters and persistent buffers, named as in a state dict.
    """

    layers: Mapping[str, Layer]
    tensors: Mapping[str, Tensor]

    @property
    def kind(self) -> GlobalName:
        """Name of the class of the network."""
        return self.layers[""].kind


def is_pickled_module(value: Any) -> bool:
    """Return whether an unpickled value stands for an `nn.Module`."""
    return isinstance(value, PickledObject) and isinstance(value.state, dict) and "_modules" in value.state


def build_module_tree(root: PickledObject) -> ModuleTree:
    """Build the description of a pickled network, without DataParallel wrappers.

    Parameters
    ----------
    root : PickledObject
        The network.

    Returns
    -------
    ModuleTree
        Its layers and tensors.

    Raises
    ------
    MalformedPickleError
        If layers are nested too deeply or recursively, or contain anything other than layers and tensors.
    """
    while str(root.cls) in WRAPPERS and is_pickled_module(root.state["_modules"].get("module")):
        root = root.state["_modules"]["module"]
    layers: dict[str, Layer] = {}
    tensors: dict[str, Tensor] = {}
    for path, layer in _walk(root):
        layers[path] = Layer(layer.cls, {key: value for key, value in layer.state.items() if _is_setting(key, value)})
        tensors |= {f"{path}.{name}" if path else name: tensor for name, tensor in _named_tensors(layer)}
    return ModuleTree(layers, tensors)


def _walk(root: PickledObject) -> Iterator[tuple[str, PickledObject]]:
    """Yield every layer with its path; a shared layer appears once for each path, as in a state dict."""
    pending: list[tuple[str, PickledObject, tuple[int, ...]]] = [("", root, ())]
    count = 0
    while pending:
        path, layer, ancestors = pending.pop()
        count += 1
        if count > MAX_LAYERS or len(ancestors) > MAX_DEPTH or id(layer) in ancestors:
            raise MalformedPickleError("its layers are nested too deeply or recursively")
        yield path, layer
        for name, child in reversed(list(_get_dict(layer, "_modules").items())):
            if child is None:
                continue
            if not isinstance(name, str) or not is_pickled_module(child):
                raise MalformedPickleError(f"it contains an object that is not a layer in {path or 'the network'}")
            pending.append((f"{path}.{name}" if path else name, child, (*ancestors, id(layer))))


def _named_tensors(layer: PickledObject) -> Iterator[tuple[str, Tensor]]:
    non_persistent = layer.state.get("_non_persistent_buffers_set", ())
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _get_dict(layer, kind).items():
            if tensor is None or (kind == "_buffers" and name in non_persistent):
                continue
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                raise MalformedPickleError("it contains a parameter that is not a tensor")
            yield name, tensor


def _get_dict(layer: PickledObject, name: str) -> Mapping[Any, Any]:
    value = layer.state.get(name, {})
    if not isinstance(value, dict):
        raise MalformedPickleError(f"it contains a layer whose {name} is not a dict")
    return value


def _is_setting(key: Any, value: Any) -> bool:
    plain = (bool, int, float, str)
    public = isinstance(key, str) and not key.startswith("_")
    return public and (
        isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(part, plain) for part in value))
    )
