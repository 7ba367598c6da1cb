"""Recipes: what to compare. Each module holds `recipe`; `framelight run NAME` runs it."""
