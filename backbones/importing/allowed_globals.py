"""Globals (classes and functions) that the pickle in a weights file may refer to, and checks of their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch

MAX_NUMBER, MAX_DIMENSIONS = 2**48, 16
LAYER_PREFIXES = ("torch.nn.", "timm.", "torchvision.models.", "torchvision.ops.")
IDENTIFIER = re.compile(r"[^\W\d]\w*")
MOBILEFACENET_CLASSES = {"MobileFaceNet", "ConvBlock", "LinearBlock", "DepthWise", "Residual", "GDC", "Flatten"}
ATTRIBUTE_DICTS = {
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
}
INERT_CLASSES = {
    "argparse.Namespace",
    "builtins.object",
    "functools.partial",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.PurePosixPath",
}
TENSOR_TYPES = {"torch.Tensor", "torch.nn.parameter.Parameter"}
DTYPES = {f"torch.{name}" for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class MalformedPickleError(ValueError):
    """A pickle that is damaged or contains something that does not occur in weights files.

    Parameters
    ----------
    message : str
        Description of the problem.
    hint : str
        Advice for the user.
    """

    def __init__(self, message: str, hint: str = "download the file again, or save it as safetensors") -> None:
        super().__init__(message)
        self.hint = hint


class GlobalName(NamedTuple):
    """Name of a class or function that a pickle refers to."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def is_storage(self) -> bool:
        """Whether this is a storage class of torch."""
        return self.module in ("torch", "torch.cuda") and self.name in STORAGE_DTYPES

    @property
    def is_layer(self) -> bool:
        """Whether this may be the class of a layer."""
        parts = [*self.module.split("."), self.name]
        if not all(IDENTIFIER.fullmatch(part) for part in parts) or str(self) in TENSOR_TYPES:
            return False
        may_be_mobilefacenet = self.module == "__main__" or "mobilefacenet" in parts[-2].lower()
        return f"{self.module}.".startswith(LAYER_PREFIXES) or (
            may_be_mobilefacenet and self.name in MOBILEFACENET_CLASSES
        )

    @property
    def is_class(self) -> bool:
        """Whether this is a class whose instances may be replaced by plain dicts or by stubs without methods."""
        return str(self) in INERT_CLASSES or str(self) in ATTRIBUTE_DICTS or self.is_layer

    @property
    def is_allowed(self) -> bool:
        """Whether a weights file may refer to this name."""
        return (
            any(str(self) in group for group in (CALL_CHECKS, DTYPES, TENSOR_TYPES)) or self.is_storage or self.is_class
        )


class Storage(NamedTuple):
    """Tensor data stored next to the pickle.

    Attributes
    ----------
    key : str
        Name of the storage in the archive.
    dtype : torch.dtype
        Type of its elements.
    numel : int
        Number of elements.
    """

    key: str
    dtype: torch.dtype
    numel: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.numel * self.dtype.itemsize


def _check_text(value: Any, *_: Any) -> str:
    if not isinstance(value, str):
        raise MalformedPickleError("another value where a string is expected")
    return value


def _check_number_type(code: Any, *_: Any) -> None:
    if not re.fullmatch(r"[|<>=]?[biufc]\d{1,2}", _check_text(code)):
        raise MalformedPickleError("numpy values that are not numbers")


def _check_encoding(text: Any, encoding: Any = "latin1") -> None:
    if _check_text(encoding) not in ("latin1", "latin-1"):
        raise MalformedPickleError(f"bytes in the encoding {encoding[:20]}")
    _check_text(text)


def _check_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> None:
    """Check that a tensor stays within its storage and has no more elements than the storage."""
    if not isinstance(storage, Storage):
        raise MalformedPickleError("a tensor without a storage")
    numbers = (offset, *shape, *stride)
    if not all(type(number) is int and 0 <= number < MAX_NUMBER for number in numbers):
        raise ValueError("a tensor with an invalid offset, shape or stride")
    if len(shape) != len(stride) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor of shape {shape} and stride {stride}")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride))
    if prod(shape) and (last >= storage.numel or prod(shape) > storage.numel):
        raise ValueError(f"a tensor of shape {shape} at offset {offset} of a storage of {storage.numel} elements")


def _check_typed_tensor(rebuild: Any, kind: Any, args: Any, *_: Any) -> None:
    if rebuild != GlobalName("torch._utils", "_rebuild_tensor_v2"):
        raise MalformedPickleError(
            f"a tensor rebuilt by {rebuild if isinstance(rebuild, GlobalName) else 'something other than a function'}"
        )
    if not isinstance(kind, GlobalName) or str(kind) not in TENSOR_TYPES:
        raise MalformedPickleError("a tensor of another class")
    _check_tensor(*args)


def _accept_any(*_: Any) -> None:
    """Accept any arguments, for functions that only build values from data."""


CALL_CHECKS: dict[str, Callable[..., object]] = {
    **dict.fromkeys(
        (
            "collections.OrderedDict",
            "collections.Counter",
            "collections.defaultdict",
            "builtins.dict",
            "builtins.list",
            "builtins.tuple",
            "builtins.set",
            "builtins.frozenset",
            "torch.Size",
            "torch._utils._rebuild_parameter",
            "torch._utils._rebuild_parameter_with_state",
        ),
        _accept_any,
    ),
    **dict.fromkeys(("torch.device", "torch.serialization._get_layout", "timm.layers.format.Format"), _check_text),
    "_codecs.encode": _check_encoding,
    "numpy.dtype": _check_number_type,
    "torch._utils._rebuild_tensor": _check_tensor,
    "torch._utils._rebuild_tensor_v2": _check_tensor,
    "torch._tensor._rebuild_from_type_v2": _check_typed_tensor,
}
