"""Recipes, which describe experiments as frozen dataclasses, and the functions that run them."""

from harness.data.protocol import Protocol
from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
from harness.runner.backbone_recipe import BackboneRecipe, TrainedBackbone
from harness.runner.loader import find_recipe, recipe_minutes, recipe_names, recipe_summary
from harness.runner.overrides import apply_settings
from harness.runner.recipe import Grid, Recipe, Search
from harness.smoothing.candidates import SmoothingGrid

__all__ = [
    "BackboneRecipe",
    "Grid",
    "Protocol",
    "Recipe",
    "Search",
    "SmoothingGrid",
    "SyntheticStills",
    "SyntheticVideos",
    "TrainedBackbone",
    "apply_settings",
    "find_recipe",
    "recipe_minutes",
    "recipe_names",
    "recipe_summary",
]
