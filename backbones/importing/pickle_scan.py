"""Check a pickle before it is loaded: every global it refers to, every call and the bounds of every tensor.

`torch.load(weights_only=True)` calls only allowed functions, but it hashes and prints values from the file and stops at
the first global that it does not allow. This scan therefore interprets the opcodes first, on placeholder values.
"""

from __future__ import annotations

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import IO, Any

from backbones.errors import printable
from backbones.importing.allowed_globals import (
    CALL_CHECKS,
    MAX_NUMBER,
    STORAGE_DTYPES,
    GlobalName,
    MalformedPickleError,
    Storage,
)

MAX_OPCODES, MAX_CALLS, MAX_DEPTH, MAX_ITEMS = 5_000_000, 100_000, 64, 1_000_000
"""Limits of memory and time; a pickled EfficientNet-B4 of 653 layers has 92,000 opcodes and 11,000 calls."""
SUPPORTED_OPCODES = {
    *("APPEND", "APPENDS", "BINFLOAT", "BINGET", "BININT", "BININT1", "BININT2", "BINPERSID", "BINPUT", "BINUNICODE"),
    *("BUILD", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "EMPTY_TUPLE", "GLOBAL", "LONG1", "LONG_BINGET", "LONG_BINPUT"),
    *("MARK", "NEWFALSE", "NEWOBJ", "NEWTRUE", "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS", "SHORT_BINSTRING"),
    *("STOP", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
}
"""The opcodes of protocol 2 that `torch.load(weights_only=True)` reads."""
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
MUTATORS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}


class ForbiddenGlobalsError(ValueError):
    """A pickle that contains more than weights.

    Parameters
    ----------
    names : list of str
        Globals and calls that are not allowed, in order of appearance.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class _NestedTuple(tuple):
    """Tuple that counts its nested levels and values, because hashing or printing it visits all of them."""

    depth = 1
    n_values = 1

    @property
    def is_too_large(self) -> bool:
        return self.depth > MAX_DEPTH or self.n_values > MAX_ITEMS


OPAQUE = object()
"""Stands for any value that the scan does not need."""


class PickleScan:
    """Scan of the next pickle of a stream; the stream is left at the end of that pickle.

    Parameters
    ----------
    stream : binary file
        The stream.

    Attributes
    ----------
    value : object
        The pickled value, if it is a literal.
    names : dict with GlobalName keys
        The globals in order of appearance.
    storages : dict of str to Storage
        The storages that tensors refer to, by key.
    has_sources : bool
        Whether the pickle contains the source code of classes, as modules saved before torch 1.6 do.

    Raises
    ------
    ForbiddenGlobalsError
        If the pickle contains more than weights.
    MalformedPickleError
        If the pickle is damaged or not supported by `torch.load(weights_only=True)`.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[GlobalName, None] = {}
        self.storages: dict[str, Storage] = {}
        self.refused: dict[str, None] = {}
        self.unsupported, self.has_sources = "", False
        self.n_calls = 0
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if count > MAX_OPCODES:
                    raise MalformedPickleError(
                        f"it has more than {MAX_OPCODES:,} pickle opcodes, too many for a weights file"
                    )
                self._apply_opcode(opcode, argument)
        except MalformedPickleError:
            if not self.refused:
                raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
            if not self.refused:
                raise MalformedPickleError("it is truncated or damaged") from error
        if self.refused:
            raise ForbiddenGlobalsError(list(self.refused))
        if self.unsupported:
            raise MalformedPickleError(self.unsupported)

    def _apply_opcode(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Apply an opcode to the stack as documented in pickletools."""
        name = opcode.name
        if name not in SUPPORTED_OPCODES:
            self.unsupported = self.unsupported or f"the pickle opcode {name} is not supported"
        if name == "PROTO" and argument != 2:
            self.unsupported = self.unsupported or (
                f"it uses pickle protocol {argument}, but only protocol 2, the default of torch.save, is supported"
            )
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            return
        if name == "MARK":
            self.marks.append(len(self.stack))
            return
        operands = self._pop_operands(opcode.stack_before)
        if name in ("GET", "BINGET", "LONG_BINGET"):
            result = self.memo[argument]
        elif name in MUTATORS:
            self._check_mutation(name, operands)
            result = operands[0]
        elif name == "STOP":
            self.value = operands[0]
            return
        else:
            result = self._evaluate(name, argument, operands)
        self.stack += [result] * len(opcode.stack_after)

    def _pop_operands(self, before: list[pickletools.StackObject]) -> list[Any]:
        """Remove the operands of an opcode from the stack and return them."""
        if pickletools.markobject in before:
            start = self.marks.pop() - before.index(pickletools.markobject)
        else:
            start = len(self.stack) - len(before)
        if start < (self.marks[-1] if self.marks else 0):
            raise MalformedPickleError("it is truncated or damaged")
        operands = self.stack[start:]
        del self.stack[start:]
        return operands

    def _evaluate(self, name: str, argument: Any, operands: list[Any]) -> Any:
        if name in ("GLOBAL", "INST"):
            return self._resolve_global(*argument.split(" ", 1))
        if name == "STACK_GLOBAL":
            if not all(isinstance(part, str) for part in operands):
                raise MalformedPickleError("it refers to a global whose name is not a string")
            return self._resolve_global(*operands)
        if name in ("REDUCE", "NEWOBJ"):
            return self._check_call(name, *operands)
        if name == "BINPERSID":
            return self._resolve_persistent_id(*operands)
        if name == "EMPTY_TUPLE" or name.startswith("TUPLE"):
            return self._build_tuple(operands)
        return CONSTANTS.get(name, OPAQUE if argument is None else argument)

    def _build_tuple(self, values: list[Any]) -> Any:
        result = _NestedTuple(values)
        nested = [value for value in values if isinstance(value, _NestedTuple)]
        result.depth = 1 + max((value.depth for value in nested), default=0)
        result.n_values = min(1 + len(values) + sum(value.n_values for value in nested), MAX_ITEMS + 1)
        if result.is_too_large:
            self.unsupported = self.unsupported or "its tuples are nested too deeply, or too large"
        return result

    def _resolve_global(self, module: str, name: str) -> GlobalName:
        module, name = NAME_MAPPING.get((module, name), (module, name))
        result = GlobalName(IMPORT_MAPPING.get(module, module), name)  # torch.save writes Python 2 names
        self.names[result] = None
        if not result.is_allowed:
            self.refused[printable(str(result))] = None
        return result

    def _check_call(self, opcode: str, function: Any, args: Any) -> Any:
        self.n_calls += 1
        if self.n_calls > MAX_CALLS:
            raise MalformedPickleError(f"it has more than {MAX_CALLS:,} tensors and other objects")
        if not isinstance(function, GlobalName) or not isinstance(args, tuple):
            raise MalformedPickleError("it contains a call of something other than a global")
        if not function.is_allowed:
            return OPAQUE
        try:
            if str(function) in CALL_CHECKS:
                CALL_CHECKS[str(function)](*args)
            elif not function.is_class or (function.is_layer and opcode == "REDUCE"):
                raise MalformedPickleError(f"a call of {function}")
        except MalformedPickleError as error:
            self.refused[printable(str(error))] = None
        except (TypeError, ValueError) as error:
            self.refused[printable(f"an invalid call of {function} ({error})")] = None
        return OPAQUE

    def _check_mutation(self, name: str, operands: list[Any]) -> None:
        if name == "BUILD" and isinstance(operands[0], GlobalName):
            self.refused[printable(f"attributes set on {operands[0]}")] = None
        if name in ("SETITEM", "SETITEMS") and any(
            isinstance(key, _NestedTuple) and key.is_too_large for key in operands[1::2]
        ):
            raise MalformedPickleError("it uses a deeply nested tuple as a key")

    def _resolve_persistent_id(self, identity: Any) -> Any:
        """Return the storage or, before torch 1.6, the layer class that a persistent id refers to."""
        match identity:
            case ("module", GlobalName() as name, *_):
                self.has_sources = True
                return name
            case ("storage", GlobalName() as kind, str(key), str(), int(numel), *rest) if rest in ([], [None]):
                if not kind.is_storage:
                    raise MalformedPickleError(f"it contains a storage of type {kind}")
                if not 0 <= numel < MAX_NUMBER:
                    raise MalformedPickleError(f"it contains a storage of {numel} elements")
                storage = Storage(key, STORAGE_DTYPES[kind.name], numel)
                if self.storages.setdefault(key, storage) != storage:
                    raise MalformedPickleError("it contains a storage with two types or sizes")
                return storage
        raise MalformedPickleError("it contains a persistent id that torch.save does not write")
