"""Import paths without a file: modules of the previous version, and names below `framelight`.

Modules that the README and the recipes of the previous version imported can be imported for one more version, with a
DeprecationWarning at each such import.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

TYPE_CHECKING = False  # these modules would take most of the time of importing harness
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir))  # noqa: PTH100, PTH118, PTH120
"""Folder of the packages of Framelight."""

Moved = dict[str, dict[str, tuple[str, ...]]]
"""For each module of the previous version: its new modules, and the names in each, as `name` or `name=new_name`."""


def warn_deprecated(old: str, advice: str, stacklevel: int = 3) -> None:
    """Issue a DeprecationWarning at the line that uses `old`, by default in the caller's caller."""
    warnings.warn(
        f"{old} is deprecated and will be removed in the next version; {advice}",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class DeprecatedModule(ModuleType):
    """Module of the previous version, which looks each name up in its new module.

    Parameters
    ----------
    name : str
        Old name of the module.
    names : dict of str to tuple of str
        For each new module: the names in it, as `name` or `name=new_name`.
    """

    def __init__(self, name: str, names: dict[str, tuple[str, ...]]) -> None:
        super().__init__(name)
        self._modules = tuple(names)
        self._names = {
            entry.partition("=")[0]: (module, entry.rpartition("=")[2])
            for module, entries in names.items()
            for entry in entries
        }
        self.__all__ = sorted(self._names)

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        # All modules are imported before the warning: an import can make Python show the same warning again.
        modules = {module: import_module(module) for module in self._modules}
        module, new = self._names[name]
        # The same text for every name, so that a statement with several names warns once.
        renamed = ", ".join(f"{old} is now {new}" for old, (_, new) in self._names.items() if old != new)
        warn_deprecated(self.__name__, "import from harness instead" + (f" ({renamed})" if renamed else ""))
        return getattr(modules[module], new)


class ImportHooks:
    """Finder of moved modules, of `framelight.__main__` and of `backbones`; it also loads the moved modules.

    Other modules below `framelight` are refused with a message that names the module of `harness`.

    Parameters
    ----------
    moved : Moved
        The modules of the previous version.
    """

    def __init__(self, moved: Moved) -> None:
        self.moved = moved

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module; return None to leave the name to the other finders."""
        if name in self.moved:
            is_package = any(other.startswith(f"{name}.") for other in self.moved)
            return ModuleSpec(name, self, is_package=is_package)  # type: ignore[arg-type]
        if name == "backbones":  # a folder of the user with this name may be earlier on the path
            return PathFinder.find_spec(name, [ROOT])
        if name == "framelight.__main__":
            file = os.path.join(ROOT, "harness", "cli", "__main__.py")  # noqa: PTH118 - pathlib is slow to import
            return ModuleSpec(name, SourceFileLoader(name, file), origin=file)
        if name.startswith("framelight."):
            raise ModuleNotFoundError(
                f"No module named '{name}': framelight has no submodules; import "
                f"harness{name.removeprefix('framelight')}",
                name=name,
            )
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Create the deprecated module, which looks its names up in the new modules."""
        return DeprecatedModule(spec.name, self.moved[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is no code to run."""


def install(moved: Moved) -> None:
    """Install the hooks before all other finders; a second call changes nothing."""
    if not any(isinstance(finder, ImportHooks) for finder in sys.meta_path):
        sys.meta_path.insert(0, ImportHooks(moved))


def refuse_same_name(name: str) -> None:
    """Refuse a package of the user that has the name of a package of Framelight.

    Framelight's own commands and workers are not affected by a package of the user and do not refuse it. A folder that
    is not a package, such as a folder of weights, is not refused either.

    Parameters
    ----------
    name : str
        Name of a package of Framelight.

    Raises
    ------
    ImportError
        If a package or module of the user with this name has been imported, or is found by `import` in this process.
    """
    imported = sys.modules.get(name)
    spec = getattr(imported, "__spec__", None) if imported else _find_on_path(name)
    paths = list(spec.submodule_search_locations or []) if spec else []
    path = paths[0] if paths else spec and spec.origin
    own = os.path.join(ROOT, name)  # noqa: PTH118
    if path and os.path.realpath(path) != os.path.realpath(own):
        raise ImportError(
            f"{path} has the name of a package of Framelight ({own}), and Python imports only one of them; rename "
            f"{path}, or import Framelight in a process without it"
        )


def _find_on_path(name: str) -> ModuleSpec | None:
    """Find a package or module; None for a folder without code, and in a process that runs no code of the user."""
    spec = None if _is_own_process(sys.orig_argv[1:]) else PathFinder.find_spec(name)
    return spec if spec and spec.origin else None


def _is_own_process(arguments: Sequence[str]) -> bool:
    """Return whether the arguments of the interpreter start a command of Framelight or a worker process."""
    words = iter(arguments)
    for word in words:
        if word == "-m":
            return next(words, "").partition(".")[0] in ("framelight", "harness")
        if word == "-c":
            return next(words, "").startswith("from multiprocessing.")
        if word in ("-X", "-W"):
            next(words, "")
        elif not word.startswith("-"):
            return os.path.splitext(os.path.basename(word))[0] == "framelight"  # noqa: PTH119, PTH122
    return False
