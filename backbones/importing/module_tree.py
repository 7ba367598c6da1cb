"""A pickled tree of layers, read as a description: its tensors by name, and what each layer was set to."""

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
    """kind: the name of its class; settings: its attributes that are numbers, texts or tuples of them."""

    kind: GlobalName
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ModuleTree:
    """layers: by path, "" the whole; tensors: parameters and persistent buffers, called as in a state dict."""

    layers: Mapping[str, Layer]
    tensors: Mapping[str, Tensor]

    @property
    def kind(self) -> GlobalName:
        return self.layers[""].kind


def is_pickled_module(value: Any) -> bool:
    return isinstance(value, PickledObject) and isinstance(value.state, dict) and "_modules" in value.state


def build_module_tree(root: PickledObject) -> ModuleTree:
    """The description of a pickled layer and all within it; what merely wraps another layer is left out."""
    while str(root.cls) in WRAPPERS and is_pickled_module(root.state["_modules"].get("module")):
        root = root.state["_modules"]["module"]
    layers, tensors = {}, {}
    for path, layer in _walk(root):
        layers[path] = Layer(layer.cls, {key: value for key, value in layer.state.items() if _is_setting(key, value)})
        tensors |= {f"{path}.{name}" if path else name: tensor for name, tensor in _named_tensors(layer)}
    return ModuleTree(layers, tensors)


def _walk(root: PickledObject) -> Iterator[tuple[str, PickledObject]]:
    """Every layer with its path. A layer that several hold is met by each path, as in a state dict."""
    left, count = [("", root, ())], 0
    while left:
        path, layer, above = left.pop()
        count += 1
        if count > MAX_LAYERS or len(above) > MAX_DEPTH or id(layer) in above:
            raise MalformedPickleError("its layers hold one another without end")
        yield path, layer
        for name, child in reversed(list(_get_dict(layer, "_modules").items())):
            if child is None:
                continue
            if not isinstance(name, str) or not is_pickled_module(child):
                raise MalformedPickleError(f"something that is no layer within {path or 'the network'}")
            left.append((f"{path}.{name}" if path else name, child, (*above, id(layer))))


def _named_tensors(layer: PickledObject) -> Iterator[tuple[str, Tensor]]:
    passing = layer.state.get("_non_persistent_buffers_set", ())
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _get_dict(layer, kind).items():
            if tensor is None or (kind == "_buffers" and name in passing):
                continue
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                raise MalformedPickleError("a parameter that is no tensor")
            yield name, tensor


def _get_dict(layer: PickledObject, name: str) -> Mapping[Any, Any]:
    found = layer.state.get(name, {})
    if not isinstance(found, dict):
        raise MalformedPickleError(f"a layer whose {name} is no mapping")
    return found


def _is_setting(key: Any, value: Any) -> bool:
    plain = (bool, int, float, str)
    public = isinstance(key, str) and not key.startswith("_")
    return public and (
        isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(part, plain) for part in value))
    )
