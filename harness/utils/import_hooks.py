"""Import paths without a file: modules of the previous version, and names below `framelight`.

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

_RECIPE_NAMES: dict[str, tuple[str, ...]] = {
    "harness.runner.recipe": (
        *("COMPUTE", "FEATURES", "Grid", "MISSING", "MOST_SEEDS", "PRUNERS", "Recipe", "Search", "THRESHOLDS"),
    ),
    "harness.runner.backbone_recipe": ("BackboneRecipe", "MEANT", "NAME", "TrainedBackbone"),
    "harness.runner.loader": ("KINDS", "Kind", "find_recipe", "recipe_names"),
    "harness.runner.overrides": ("apply_settings",),
    "harness.data.protocol": ("PROTOCOLS", "Protocol"),
    "harness.data.synthetic.settings": ("SyntheticStills", "SyntheticVideos"),
    "harness.smoothing.candidates": ("KERNELS=DEFAULT_KERNELS", "Smoothing=SmoothingGrid"),
}
_HEAD_NAMES: dict[str, tuple[str, ...]] = {
    "harness.training.heads.config": (
        *("CLASS_WEIGHTS", "HeadConfig", "INVALID", "KEEP", "KINDS", "OUTPUTS", "Part=HeadOverride", "SCHEDULES"),
        *("TASK_WEIGHTS", "VA_LOSSES"),
    )
}
_BACKBONE_NAMES: dict[str, tuple[str, ...]] = {
    "harness.training.backbones.config": (
        *("ACCELERATORS", "Augmentation", "Hardware", "PRECISIONS", "REVISION", "STRATEGIES", "StillsConfig"),
    ),
    "harness.training.backbones.stage_config": (
        *("ALSO", "Expressions", "Identities", "KEEPS", "SAMPLINGS", "SHAPES", "Schedule"),
    ),
}
MOVED: dict[str, dict[str, tuple[str, ...]]] = {
    "harness.heads": {},
    "harness.heads.config": _HEAD_NAMES,
    "harness.pretraining": {},
    "harness.pretraining.config": _BACKBONE_NAMES,
    "harness.recipes": _RECIPE_NAMES,
    "harness.recipes.backbone": _RECIPE_NAMES,
    "harness.recipes.finding": _RECIPE_NAMES,
    "harness.recipes.recipe": _RECIPE_NAMES,
    "harness.recipes.settings": _RECIPE_NAMES,
    "harness.streaming": {"harness.smoothing.streaming": ("Streaming=StreamingFilter",)},
}
"""For each module of the previous version, where its names are now, as `name` or `name=new_name`."""


def warn_deprecated(old: str, advice: str, stacklevel: int = 3) -> None:
    """Issue a DeprecationWarning at the line that uses `old`, by default in the caller's caller."""
    warnings.warn(
        f"{old} is deprecated and will be removed in the next version; {advice}",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class DeprecatedModule(ModuleType):
    """Module of the previous version, which looks each name up in its new module."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._names = {
            entry.partition("=")[0]: (module, entry.rpartition("=")[2])
            for module, entries in MOVED[name].items()
            for entry in entries
        }
        self.__all__ = sorted(self._names)

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        modules = {
            module: import_module(module) for module in MOVED[self.__name__]
        }  # importing resets the warnings that were shown
        module, new = self._names[name]
        # The same text for every name, so that a statement with several names warns once.
        renamed = ", ".join(f"{old} is now {new}" for old, (_, new) in self._names.items() if old != new)
        warn_deprecated(self.__name__, "import from harness instead" + (f" ({renamed})" if renamed else ""))
        return getattr(modules[module], new)


class ImportHooks:
    """Finder and loader of the modules in `MOVED` and of `framelight.__main__`.

    Other modules below `framelight` are refused with a message that names the module of `harness`.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module of the previous version; None leaves the name to the other finders."""
        if name in MOVED:
            is_package = any(other.startswith(f"{name}.") for other in MOVED)
            return ModuleSpec(name, ImportHooks, is_package=is_package)  # type: ignore[arg-type]
        if name == "framelight.__main__":
            file = os.path.join(os.path.dirname(__file__), os.pardir, "cli", "__main__.py")  # noqa: PTH118, PTH120 - pathlib is slow to import
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
        """Create the module that looks its names up."""
        return DeprecatedModule(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Do nothing: there is no code to run."""


def install() -> None:
    """Install the hooks before all other finders; a second call changes nothing."""
    if ImportHooks not in sys.meta_path:
        sys.meta_path.insert(0, ImportHooks)
