"""A small search, and its stored results."""

import optuna

RECIPE = """
from harness import Grid, HeadConfig, Recipe, Search, SmoothingGrid

recipe = Recipe(
    name="searched",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("va", ("embeddings", "scores"), (HeadConfig("logistic_regression", batch_size=64),
                                                 HeadConfig("mlp", standardise=False))),),
    smoothing=SmoothingGrid(largest=6),
    search=Search(trials=8, batch=2, hidden=(8, 16), learning_rate=(1e-5, 1e-1), epochs=(2, 4)),
    baselines=False,
    pictures=False,
)
"""
TRIALS = 8


def studies(store):
    storage = f"sqlite:///{store / 'optuna.db'}"
    return [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]


def outcome(trials):
    """What must be the same however often a search was killed."""
    return [(t.params, t.state, t.value, t.intermediate_values) for t in trials]


def arguments(recipe, data, store, *more, jobs=1):
    return ["run", str(recipe), "--data", str(data), "--store", str(store), "--jobs", str(jobs), *more]
