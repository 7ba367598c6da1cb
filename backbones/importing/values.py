"""What reading a pickle leaves: names, inert instances and tensors not yet loaded. None of them can be called."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle refers to; only its name is known."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Instance:
    """An object that a pickle would have made: its class, what it would have been made from, and its state."""

    cls: Name
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """A run of numbers kept beside the pickle, under `key`."""

    key: str
    dtype: torch.dtype
    numel: int


@dataclass(eq=False)
class StoredTensor:
    """A tensor as a view of a storage; its extent has been checked against the storage's."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        return self.storage.dtype

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.stride)
        if not all(type(number) is int and 0 <= number < 2**48 for number in numbers):
            raise ValueError("a tensor whose offset, shape or stride is none")
        if len(self.shape) != len(self.stride) or len(self.shape) > 16:
            raise ValueError(f"a tensor of shape {self.shape} and stride {self.stride}")
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.stride))
        if prod(self.shape) and (last >= self.storage.numel or prod(self.shape) > self.storage.numel):
            raise ValueError(f"a tensor of shape {self.shape} at {self.offset} in {self.storage.numel} numbers")
