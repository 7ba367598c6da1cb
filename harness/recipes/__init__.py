"""Recipes: typed, frozen descriptions of experiments."""

from harness.data.protocol import Protocol
from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
from harness.recipes.backbone import BackboneRecipe
from harness.recipes.finding import find_recipe, recipe_names
from harness.recipes.recipe import Grid, Recipe, Search, TrainedBackbone
from harness.recipes.settings import apply_settings
from harness.smoothing.candidates import Smoothing

__all__ = ["BackboneRecipe", "Grid", "Protocol", "Recipe", "Search", "Smoothing", "SyntheticStills",
           "SyntheticVideos", "TrainedBackbone", "apply_settings", "find_recipe", "recipe_names"]
