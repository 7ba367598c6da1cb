"""Check a pickle before it is loaded: every global it names, every call it makes, every tensor's bounds.

`torch.load(weights_only=True)` runs nothing but what is allowed, yet hashes and prints what a file holds, and stops at
the first name that it does not allow. The opcodes are therefore followed first, on values that cannot be called.
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

MAX_OPCODES, MAX_DEPTH, MAX_ITEMS = 20_000_000, 64, 1_000_000
SUPPORTED_OPCODES = set(
    """APPEND APPENDS BINFLOAT BINGET BININT BININT1 BININT2 BINPERSID BINPUT BINUNICODE BUILD EMPTY_DICT
    EMPTY_LIST EMPTY_SET EMPTY_TUPLE GLOBAL LONG1 LONG_BINGET LONG_BINPUT MARK NEWFALSE NEWOBJ NEWTRUE NONE PROTO REDUCE
    SETITEM SETITEMS SHORT_BINSTRING STOP TUPLE TUPLE1 TUPLE2 TUPLE3""".split()
)
"""The opcodes of protocol 2 that `torch.load(weights_only=True)` reads."""
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
MUTATORS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}


class ForbiddenGlobalsError(ValueError):
    """A pickle that refers to something else than weights; `names` are what it contains, in order."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class _NestedTuple(tuple):
    """A tuple, with what hashing or printing it would take: levels of recursion, and values at all of them."""

    depth, count = 1, 1

    @property
    def is_too_large(self) -> bool:
        return self.depth > MAX_DEPTH or self.count > MAX_ITEMS


OPAQUE = object()
"""A value of which nothing but its existence matters."""


class PickleScan:
    """Follow one pickle of a stream and stop behind it.

    value: the pickled value where it is a literal. names: the globals, in order of appearance. storages: those that
    tensors refer to, by key. has_sources: whether classes come with their source text, as in modules saved before
    torch 1.6. ForbiddenGlobalsError for what weights have no need of, MalformedPickleError for what is no whole
    pickle or none that `torch.load(weights_only=True)` reads.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[GlobalName, None] = {}
        self.storages: dict[str, Storage] = {}
        self.refused: dict[str, None] = {}
        self.unsupported, self.has_sources = "", False
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if count > MAX_OPCODES:
                    raise MalformedPickleError("more opcodes than any file of weights has")
                self._apply_opcode(opcode, argument)
        except MalformedPickleError:
            if not self.refused:
                raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
            if not self.refused:
                raise MalformedPickleError("it is broken off or damaged") from error
        if self.refused:
            raise ForbiddenGlobalsError(list(self.refused))
        if self.unsupported:
            raise MalformedPickleError(self.unsupported)

    def _apply_opcode(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Apply an opcode; its effect on the stack is the one that pickletools documents."""
        name = opcode.name
        if name not in SUPPORTED_OPCODES:
            self.unsupported = self.unsupported or "an opcode that no file of weights has"
        if name == "PROTO" and argument != 2:
            self.unsupported = self.unsupported or (
                f"it is pickled by protocol {argument}, and only protocol 2, torch.save's own, is read"
            )
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            return
        if name == "MARK":
            self.marks.append(len(self.stack))
            return
        taken = self._pop_operands(opcode.stack_before)
        if name in ("GET", "BINGET", "LONG_BINGET"):
            result = self.memo[argument]
        elif name in MUTATORS:
            self._check_mutation(name, taken)
            result = taken[0]
        elif name == "STOP":
            self.value = taken[0]
            return
        else:
            result = self._evaluate(name, argument, taken)
        self.stack += [result] * len(opcode.stack_after)

    def _pop_operands(self, before: list[pickletools.StackObject]) -> list[Any]:
        """Remove what an opcode consumes from the stack."""
        if pickletools.markobject in before:
            start = self.marks.pop() - before.index(pickletools.markobject)
        else:
            start = len(self.stack) - len(before)
        if start < (self.marks[-1] if self.marks else 0):
            raise MalformedPickleError("it is broken off or damaged")
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def _evaluate(self, name: str, argument: Any, taken: list[Any]) -> Any:
        if name in ("GLOBAL", "INST"):
            return self._resolve_global(*argument.split(" ", 1))
        if name == "STACK_GLOBAL":
            if not all(isinstance(text, str) for text in taken):
                raise MalformedPickleError("a name that is no text")
            return self._resolve_global(*taken)
        if name in ("REDUCE", "NEWOBJ"):
            return self._check_call(name, *taken)
        if name == "BINPERSID":
            return self._resolve_persistent_id(*taken)
        if name == "EMPTY_TUPLE" or name.startswith("TUPLE"):
            return self._build_tuple(taken)
        return CONSTANTS.get(name, OPAQUE if argument is None else argument)

    def _build_tuple(self, taken: list[Any]) -> Any:
        result = _NestedTuple(taken)
        nested = [value for value in taken if isinstance(value, _NestedTuple)]
        result.depth = 1 + max((value.depth for value in nested), default=0)
        result.count = min(1 + len(taken) + sum(value.count for value in nested), MAX_ITEMS + 1)
        if result.is_too_large:
            self.unsupported = self.unsupported or "tuples nested without end"
        return result

    def _resolve_global(self, module: str, name: str) -> GlobalName:
        module, name = NAME_MAPPING.get((module, name), (module, name))
        result = GlobalName(IMPORT_MAPPING.get(module, module), name)  # Python 2's, as in all files of torch.save
        self.names[result] = None
        if not result.is_allowed:
            self.refused[printable(str(result))] = None
        return result

    def _check_call(self, opcode: str, function: Any, args: Any) -> Any:
        if not isinstance(function, GlobalName) or not isinstance(args, tuple):
            raise MalformedPickleError("a call of something that is no name")
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
            self.refused[printable(f"{function} is called wrongly ({error})")] = None
        return OPAQUE

    def _check_mutation(self, name: str, taken: list[Any]) -> None:
        if name == "BUILD" and isinstance(taken[0], GlobalName):
            self.refused[printable(f"attributes set on {taken[0]}")] = None
        if name in ("SETITEM", "SETITEMS") and any(
            isinstance(key, _NestedTuple) and key.is_too_large for key in taken[1::2]
        ):
            raise MalformedPickleError("a tuple as a key")

    def _resolve_persistent_id(self, identity: Any) -> Any:
        """The storage of a persistent id; before torch 1.6 the classes of layers had such ids too."""
        match identity:
            case ("module", GlobalName() as name, *_):
                self.has_sources = True
                return name
            case ("storage", GlobalName() as kind, str(key), str(), int(numel), *rest) if rest in ([], [None]):
                if not kind.is_storage:
                    raise MalformedPickleError(f"a storage of type {kind}")
                if not 0 <= numel < MAX_NUMBER:
                    raise MalformedPickleError(f"a storage of {numel} numbers")
                storage = Storage(key, STORAGE_DTYPES[kind.name], numel)
                if self.storages.setdefault(key, storage) != storage:
                    raise MalformedPickleError("a storage of two types or lengths")
                return storage
        raise MalformedPickleError("a persistent id that torch.save does not write")
