"""The names a file of weights may hold, and what the calls it would make of them mean here.

Three kinds: calls that rebuild plain data or tensors, done here by code of our own; names kept as mere names (layers
of torch, timm, torchvision and MobileFaceNet, types, functions a layer refers to); and everything else, refused.
"""

from __future__ import annotations

import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any

import torch

from backbones.importing.values import Instance, Name, Storage, StoredTensor

RENAMED = {**IMPORT_MAPPING, "numpy._core.multiarray": "numpy.core.multiarray"}
"""Modules as Python 2 (whose names torch's pickles have) and numpy 2 call them, and as they are called here."""

LAYERS = ("torch.nn.", "timm.", "torchvision.models.", "torchvision.ops.")
IDENTIFIER = re.compile(r"[^\W\d]\w*")
MOBILEFACENET = {"MobileFaceNet", "ConvBlock", "LinearBlock", "DepthWise", "Residual", "GDC", "Flatten"}
DICTIONARIES = {"pytorch_lightning.utilities.parsing.AttributeDict", "lightning.fabric.utilities.data.AttributeDict",
                "lightning_fabric.utilities.data.AttributeDict", "argparse.Namespace"}
INERT = DICTIONARIES | {"builtins.object", "functools.partial", "torch.Tensor", "torch.device", "numpy.dtype",
                        "numpy.core.multiarray.scalar", "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath",
                        "pathlib.PurePosixPath"}
DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
STORAGES = {"DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
            "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
            "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
            "BoolStorage": torch.bool}


class Malformed(ValueError):
    """A pickle that is broken, or that means something no file of weights means."""


def name_of(module: str, name: str) -> Name:
    """What pickle takes the two texts for."""
    module, name = NAME_MAPPING.get((module, name), (module, name))
    return Name(RENAMED.get(module, module), name)


def is_storage(name: Name) -> bool:
    return name.module in ("torch", "torch.cuda") and name.name in STORAGES


def is_layer(name: Name) -> bool:
    """Whether this may be the class of a layer: it may then be made, inertly."""
    parts = [*name.module.split("."), name.name]
    if not all(IDENTIFIER.fullmatch(part) for part in parts):
        return False
    if f"{name.module}.".startswith(LAYERS):
        return True
    ours = name.module == "__main__" or "mobilefacenet" in parts[-2].lower()
    return ours and name.name in MOBILEFACENET


def is_allowed(name: Name) -> bool:
    """Whether a file may refer to this at all."""
    if is_layer(name) or is_storage(name) or str(name) in CALLS or str(name) in INERT:
        return True
    return name.module == "torch" and name.name in DTYPES


def call(name: Name, args: tuple[Any, ...]) -> Any:
    """What calling this would give; Malformed where it may not be called, or not so."""
    if str(name) in CALLS:
        try:
            return CALLS[str(name)](*args)
        except (TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"{name} is called wrongly ({error})") from error
    if str(name) in INERT:
        if str(name) == "numpy.dtype" and (not args or not re.fullmatch(r"[|<>=]?[biufc]\d{1,2}", _text(args[0]))):
            raise Malformed("numpy values that are not plain numbers")
        return Instance(name, args)
    raise Malformed(f"a call of {name}")


def make(name: Name, args: tuple[Any, ...]) -> Any:
    """An instance of a class, inertly."""
    return Instance(name, args) if is_layer(name) or str(name) in DICTIONARIES else call(name, args)


def tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, Storage):
        raise Malformed("a tensor without a storage")
    return StoredTensor(storage, offset, tuple(shape), tuple(stride))


def _parameter(data: Any, *_: Any) -> StoredTensor:
    if not isinstance(data, StoredTensor):
        raise Malformed("a parameter without a tensor")
    return data


def _typed_tensor(rebuild: Any, kind: Any, args: Any, *_: Any) -> StoredTensor:
    """A tensor with attributes of its own, which are left out."""
    if rebuild != Name("torch._utils", "_rebuild_tensor_v2"):
        raise Malformed(f"a tensor rebuilt by {rebuild if isinstance(rebuild, Name) else 'no function'}")
    return tensor(*args)


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    if _text(encoding) not in ("latin1", "latin-1"):
        raise Malformed(f"bytes in the encoding {encoding[:20]}")
    return text.encode("latin1")


def _text(value: Any) -> str:
    """The value, where it is a text: what is nested without end would be as long to write."""
    if not isinstance(value, str):
        raise Malformed("something else where a text belongs")
    return value


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    result = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        result[hashable(key)] = value
    return result


def _reconstructed(cls: Any, base: Any, state: Any) -> Any:
    """How pickles of protocols 0 and 1 make an object."""
    if not isinstance(cls, Name) or base != Name("builtins", "object") or state is not None:
        raise Malformed("an object made from another")
    return make(cls, ())


def hashable(key: Any) -> Any:
    """The key itself, where it is plain: hashing what is deeply nested can exhaust the stack."""
    plain = (str, bytes, int, float, bool, type(None), Name, Instance)
    if isinstance(key, plain) or isinstance(key, tuple) and all(isinstance(part, plain) for part in key):
        return key
    raise Malformed(f"a {type(key).__name__} as a key")


CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": lambda factory=None: {},
    "builtins.dict": _dictionary,
    "builtins.list": lambda items=(): list(items),
    "builtins.tuple": lambda items=(): tuple(items),
    "builtins.set": lambda items=(): {hashable(item) for item in items},
    "builtins.frozenset": lambda items=(): frozenset(hashable(item) for item in items),
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _reconstructed,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _typed_tensor,
    "torch.serialization._get_layout": _text,
    "timm.layers.format.Format": _text,
}
