"""A network that torch has compiled ahead of time into a shared library, called without the interpreter's lock.

torch's own caller of such libraries holds the lock all through a forward pass, which leaves other workers and their
decoding standing. The library's functions are in C (torch/csrc/inductor/aoti_runtime/interface.h): each returns 0, or
another number when it failed.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule_of = ctypes.pythonapi.PyCapsule_New
_capsule_of.restype, _capsule_of.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class SharedLibrary:
    """A compiled function of one tensor to `outputs` tensors; as many threads as `callers` run in it at once.

    OSError when the file is no such library.
    """

    def __init__(self, path: Path, outputs: int, callers: int) -> None:
        self.path, self.outputs = path, outputs
        self.container = ctypes.c_void_p()
        self.library = ctypes.CDLL(str(path))
        try:
            create, self.execute = (self.library.AOTInductorModelContainerCreateWithDevice,
                                    self.library.AOTInductorModelContainerRun)
        except AttributeError as error:
            raise OSError(f"{path} holds no compiled network") from error
        self._require(create(ctypes.byref(self.container), ctypes.c_size_t(callers), b"cpu", None))

    def __call__(self, value: Tensor) -> list[Tensor]:
        """The function takes over the handle of what goes in, and gives the handles of what comes out."""
        given = (ctypes.c_void_p * 1)(_pointer_of(torch._C._aoti.unsafe_alloc_void_ptr_from_tensor(value), None))
        taken = (ctypes.c_void_p * self.outputs)()
        self._require(self.execute(self.container, given, ctypes.c_size_t(1), taken, ctypes.c_size_t(self.outputs),
                                   None, None))
        steal = torch._C._aoti.alloc_tensor_by_stealing_from_void_ptr
        return [steal(_capsule_of(handle, None, None)) for handle in taken]

    def __del__(self) -> None:
        if self.container:
            self.library.AOTInductorModelContainerDelete(self.container)

    def _require(self, failed: int) -> None:
        if failed:
            raise OSError(f"{self.path} does not run")
