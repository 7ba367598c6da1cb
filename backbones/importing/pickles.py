"""A reader of pickles that runs nothing: its own machine for the opcodes, with inert values in place of objects.

Nothing is imported, called, instantiated or given attributes; a name that a file of weights has no use for is noted
and refused at the end, so that the message lists them all.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from backbones.errors import printable
from backbones.importing import allowed
from backbones.importing.allowed import Malformed, hashable
from backbones.importing.values import Instance, Name

MOST_OPCODES = 20_000_000
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
LITERALS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
            "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES",
            "SHORT_BINBYTES", "BINBYTES8"}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(ValueError):
    """A pickle that refers to something else than weights; `names` are what it contained, in order."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class Machine:
    """Reads one pickle from a stream and stops behind it.

    persistent: what a persistent id (a tuple that torch writes) stands for.
    """

    def __init__(self, stream: IO[bytes], persistent: Callable[[Any], Any]) -> None:
        self.stream, self.persistent = stream, persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.refused: dict[str, None] = {}

    def read(self) -> Any:
        """The value; Refused when it contains what it should not, Malformed when it is no whole pickle."""
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self.stream)):
                if count > MOST_OPCODES:
                    raise Malformed("more opcodes than any file of weights has")
                if opcode.name == "STOP":
                    break
                self._step(opcode.name, argument)
            value = self.stack.pop()
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
            if not self.refused:
                raise Malformed(_reason(error)) from error
        if self.refused:
            raise Refused(list(self.refused))
        return value

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in TUPLES:
            count = TUPLES[name]
            if len(stack) < count:
                raise Malformed("an empty stack")
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if argument is None else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name not in ("PROTO", "FRAME"):
            getattr(self, f"_{name.lower()}", self._unknown)(argument)

    def _unknown(self, _: Any) -> None:
        raise Malformed("an opcode that no file of weights has")

    def _mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _marked(self) -> list[Any]:
        """The values since the last mark, taken off the stack."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _pop(self, _: Any) -> None:
        self.stack.pop() if self.stack else self._marked()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _tuple(self, _: Any) -> None:
        items = tuple(self._marked())
        self.stack.append(items)

    def _list(self, _: Any) -> None:
        items = self._marked()
        self.stack.append(items)

    def _frozenset(self, _: Any) -> None:
        items = self._marked()
        self.stack.append(frozenset(map(hashable, items)))

    def _dict(self, _: Any) -> None:
        items = self._marked()
        self.stack.append({hashable(key): value for key, value in zip(items[::2], items[1::2])})

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        self.stack[-1].append(item)

    def _appends(self, _: Any) -> None:
        items = self._marked()
        self.stack[-1].extend(items)

    def _additems(self, _: Any) -> None:
        items = self._marked()
        self.stack[-1].update(map(hashable, items))

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._target()[hashable(key)] = value

    def _setitems(self, _: Any) -> None:
        items = self._marked()
        self._target().update((hashable(key), value) for key, value in zip(items[::2], items[1::2]))

    def _target(self) -> dict[Any, Any]:
        top = self.stack[-1]
        return top.items if isinstance(top, Instance) else top

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self._named(module, name))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise Malformed("a name that is no text")
        self.stack.append(self._named(module, name))

    def _named(self, module: str, name: str) -> Name:
        named = allowed.name_of(module, name)
        if not allowed.is_allowed(named):
            self.refused[printable(str(named))] = None
        return named

    def _reduce(self, _: Any) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self._done(allowed.call, function, args))

    def _newobj(self, _: Any) -> None:
        args, cls = self.stack.pop(), self.stack.pop()
        self.stack.append(self._done(allowed.make, cls, args))

    def _newobj_ex(self, _: Any) -> None:
        named, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(self._done(allowed.make, cls, (*args, named)))

    def _obj(self, _: Any) -> None:
        cls, *args = self._marked()
        self.stack.append(self._done(allowed.make, cls, tuple(args)))

    def _inst(self, argument: str) -> None:
        args = self._marked()
        module, _, name = argument.partition(" ")
        self.stack.append(self._done(allowed.make, self._named(module, name), tuple(args)))

    def _done(self, how: Callable[[Name, tuple[Any, ...]], Any], function: Any, args: Any) -> Any:
        """What a call gives; once something is refused, reading goes on only to find what else there is."""
        if not isinstance(function, Name) or not isinstance(args, tuple):
            raise Malformed("a call of something that is no name")
        if not allowed.is_allowed(function):
            return Instance(function, args)
        try:
            return how(function, args)
        except Malformed as error:
            self.refused[printable(str(error))] = None
            return Instance(function, args)

    def _build(self, _: Any) -> None:
        """Attributes given to an object: kept as the state of an inert instance, dropped for plain data."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Instance):
            target.state = state
        elif isinstance(target, Name):
            self.refused[printable(f"attributes set on {target}")] = None

    def _binpersid(self, _: Any) -> None:
        self.stack.append(self.persistent(self.stack.pop()))


def _reason(error: Exception) -> str:
    return printable(str(error)) if isinstance(error, Malformed) else "it is broken off or damaged"
