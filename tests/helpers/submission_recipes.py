"""Recipes whose runs are submitted."""

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

linear = HeadConfig("logistic_regression", hidden=0, epochs=2)
recipe = Recipe(
    name="four",
    backbones=("tiny_mobilenet@random",),
    grids=(
        Grid("expr", ("embeddings",), (linear,)),
        Grid("va", ("scores",), (linear,)),
        Grid("au", ("embeddings+scores",), (HeadConfig("mlp", hidden=8, epochs=2),)),
        Grid("mtl", ("embeddings",), (HeadConfig("multitask", hidden=0, epochs=2),)),
    ),
    seeds=(0, 1),
    smoothing=SmoothingGrid(smallest=1, largest=3),
    pictures=False,
)
"""
PUBLISHED = (
    RECIPE
    + """
import dataclasses
from harness import Protocol

recipe = dataclasses.replace(recipe, name="one", grids=recipe.grids[:1], seeds=(5,), protocol=Protocol("published"))
"""
)
FOLDED = (
    RECIPE
    + """
import dataclasses
from harness import Protocol

separate = Grid("mtl", ("embeddings+scores",), (HeadConfig("separate", epochs=1),))
recipe = dataclasses.replace(recipe, name="folded", grids=(*recipe.grids[1:3], separate), seeds=(5,), missing="filled",
                             smoothing=SmoothingGrid(smallest=2, largest=3, gaps="published"), thresholds="half",
                             protocol=Protocol(folds=2, refit=True))
"""
)
