"""Benchmark harness for frame-level facial affect.

Everything imported from here is the public interface for recipes, scripts and notebooks::

    from harness import Grid, HeadConfig, Recipe, leaderboard, run

Each name is imported when it is first used, so that importing the package is quick. `framelight` is the same package
under the name of the command.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

if __name__ != "harness":  # imported as `framelight`, perhaps where the user has a module `harness`
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    try:
        import_module("harness.utils")
    except ModuleNotFoundError as error:
        file = getattr(sys.modules["harness"], "__file__", "harness")
        raise ImportError(f"{file} hides a package of Framelight; rename it") from error
    finally:
        del sys.path[0]

from harness.utils import import_hooks, process_environment

TYPE_CHECKING = False  # importing typing would take most of the import time
if TYPE_CHECKING:
    from typing import Any

    from harness.data.protocol import Protocol
    from harness.data.registry import open_dataset
    from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
    from harness.export.api import export
    from harness.inference.api import predict, submit
    from harness.leaderboard.api import compare, find_run, leaderboard, run
    from harness.metrics.scores import ccc, p_au, p_expr, p_mtl, p_va
    from harness.runner.backbone_recipe import BackboneRecipe, TrainedBackbone
    from harness.runner.recipe import FEATURES, Grid, Recipe, Search
    from harness.smoothing.candidates import SmoothingGrid
    from harness.smoothing.gaps import fill_gaps
    from harness.smoothing.kernels import smooth
    from harness.smoothing.streaming import StreamingFilter
    from harness.training.backbones.config import Augmentation, Hardware, StillsConfig
    from harness.training.backbones.stage_config import Expressions, Identities, Schedule
    from harness.training.heads.config import HeadConfig, HeadOverride
    from harness.utils.errors import FramelightError

    __version__: str

__all__ = [
    "FEATURES",
    "Augmentation",
    "BackboneRecipe",
    "Expressions",
    "FramelightError",
    "Grid",
    "Hardware",
    "HeadConfig",
    "HeadOverride",
    "Identities",
    "Protocol",
    "Recipe",
    "Schedule",
    "Search",
    "SmoothingGrid",
    "StillsConfig",
    "StreamingFilter",
    "SyntheticStills",
    "SyntheticVideos",
    "TrainedBackbone",
    "ccc",
    "compare",
    "export",
    "fill_gaps",
    "find_run",
    "leaderboard",
    "open_dataset",
    "p_au",
    "p_expr",
    "p_mtl",
    "p_va",
    "predict",
    "run",
    "smooth",
    "submit",
]

_MODULES = {
    "data.protocol": ("Protocol",),
    "data.registry": ("open_dataset",),
    "data.synthetic.settings": ("SyntheticStills", "SyntheticVideos"),
    "inference.api": ("predict", "submit"),
    "leaderboard.api": ("compare", "find_run", "run"),
    "metrics.scores": ("ccc", "p_au", "p_expr", "p_mtl", "p_va"),
    "runner.backbone_recipe": ("BackboneRecipe", "TrainedBackbone"),
    "runner.recipe": ("FEATURES", "Grid", "Recipe", "Search"),
    "smoothing.candidates": ("SmoothingGrid",),
    "smoothing.gaps": ("fill_gaps",),
    "smoothing.kernels": ("smooth",),
    "smoothing.streaming": ("StreamingFilter",),
    "training.backbones.config": ("Augmentation", "Hardware", "StillsConfig"),
    "training.backbones.stage_config": ("Expressions", "Identities", "Schedule"),
    "training.heads.config": ("HeadConfig", "HeadOverride"),
    "utils.errors": ("FramelightError",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
_CALLABLE_PACKAGES = ("export", "leaderboard")

_RENAMED = {"Part": "HeadOverride", "Smoothing": "SmoothingGrid", "Streaming": "StreamingFilter"}
"""New names of renamed classes, by their names in the previous version."""

_RECIPE_NAMES: dict[str, tuple[str, ...]] = {
    "harness.runner.recipe": (
        *("COMPUTE", "FEATURES", "Grid", "MISSING", "MOST_SEEDS", "PRUNERS", "Recipe", "Search", "THRESHOLDS"),
    ),
    "harness.runner.backbone_recipe": ("BackboneRecipe", "NAME", "TrainedBackbone"),
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
_MOVED: import_hooks.Moved = {
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
"""For each module of the previous version, the new location of its names, as `name` or `name=new_name`."""

import_hooks.refuse_same_name("backbones")
process_environment.disable_telemetry()
import_hooks.install(_MOVED)
if __name__ != "harness":
    __path__ = []  # imported as `framelight`: loading submodules again would define every class twice


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        import_hooks.warn_deprecated(f"{__name__}.{name}", f"it is now {new}")
        return __getattr__(new)
    if name in _MODULE_OF:
        value = getattr(import_module(f"harness.{_MODULE_OF[name]}"), name)
    elif name in _CALLABLE_PACKAGES:
        value = import_module(f"harness.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("framelight")
    else:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
