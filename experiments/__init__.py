"""Recipes of experiments; `framelight run NAME` runs the `recipe` of the module NAME."""
