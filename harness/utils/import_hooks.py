"""Import paths that no file stands for: those of the previous version, and what is below `framelight`.

Modules of the previous version that its README and recipes imported keep working for one version, with a
DeprecationWarning at each place that imports from them.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

TYPE_CHECKING = False  # these modules would take most of the time of importing harness
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

RENAMED = {"Part": "HeadOverride", "Smoothing": "SmoothingGrid", "Streaming": "StreamingFilter"}
"""Classes of the previous version by their new names."""

_BACKBONE = ("harness.training.backbones.config", "harness.training.backbones.stage_config")
_RECIPE = (
    "harness.runner",
    "harness.runner.recipe",
    "harness.runner.backbone_recipe",
    "harness.data.protocol",
    "harness.smoothing.candidates",
)
MOVED: dict[str, tuple[str, ...]] = {
    "harness.heads": ("harness.training.heads.config",),
    "harness.heads.config": ("harness.training.heads.config",),
    "harness.pretraining": _BACKBONE,
    "harness.pretraining.config": _BACKBONE,
    "harness.recipes": ("harness.runner",),
    "harness.recipes.backbone": _RECIPE,
    "harness.recipes.finding": ("harness.runner.loader",),
    "harness.recipes.recipe": _RECIPE,
    "harness.recipes.settings": ("harness.runner.overrides",),
    "harness.streaming": ("harness.smoothing.streaming",),
}
"""Modules of the previous version, and the modules that have their names now."""


def warn_deprecated(old: str, advice: str, stacklevel: int = 3) -> None:
    """Warn at the line that asked for `old`, by default that of the caller's caller."""
    warnings.warn(
        f"{old} is deprecated and will be removed in the next version; {advice}",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class DeprecatedModule(ModuleType):
    """A module of the previous version: looks each name up where it is now."""

    def __getattr__(self, name: str) -> Any:
        new, modules = RENAMED.get(name, name), list(map(import_module, MOVED[self.__name__]))
        module = next((module for module in modules if hasattr(module, new)), None)
        if module is None or name.startswith("__"):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        # The same text for every name, so that a statement with several names warns once.
        renamed = ", ".join(
            f"{old} is now {other}"
            for old, other in RENAMED.items()
            if any(hasattr(module, other) for module in modules)
        )
        warn_deprecated(
            self.__name__,
            f"import from harness or {MOVED[self.__name__][0]} instead" + (f" ({renamed})" if renamed else ""),
        )
        return getattr(module, new)


class ImportHooks:
    """Finder and loader of `MOVED` and of `framelight.__main__`; refuses every other module below `framelight`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in MOVED:
            is_package = any(other.startswith(f"{name}.") for other in MOVED)
            return ModuleSpec(name, ImportHooks, is_package=is_package)  # type: ignore[arg-type]
        if name == "framelight.__main__":
            file = os.path.join(os.path.dirname(__file__), os.pardir, "cli", "__main__.py")
            return ModuleSpec(name, SourceFileLoader(name, file), origin=file)
        if name.startswith("framelight."):
            raise ModuleNotFoundError(
                f"No module named '{name}': framelight has no submodules; import "
                f"harness{name.removeprefix('framelight')}",
                name=name,
            )
        return None

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return DeprecatedModule(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """There is no code to run."""


def install() -> None:
    """Ask the hooks before any other finder; a second call changes nothing."""
    if ImportHooks not in sys.meta_path:
        sys.meta_path.insert(0, ImportHooks)  # type: ignore[arg-type]
