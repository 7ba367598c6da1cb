"""A small synthetic dataset and recipe for end-to-end tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(
        Grid("expr", ("embeddings", "scores"), (HeadConfig("logistic_regression", hidden=0, epochs=3),)),
        Grid("au", ("embeddings",), (HeadConfig("mlp", hidden=16, epochs=2),)),
    ),
    smoothing=SmoothingGrid(largest=6),
)
"""
JOBS = 3 + 3 * 2
"""Jobs of the recipe: three configurations, and three baselines for each of two tasks."""


def make_set(folder: Path) -> Path:
    from harness.data.synthetic import make

    make(folder, videos=14, frames=36, seed=3, stills=0)
    return folder


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "small.py"
    path.write_text(text)
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *map(str, arguments)]


def framelight(*arguments: object, timeout: float = 600, **options) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=timeout, **options)
