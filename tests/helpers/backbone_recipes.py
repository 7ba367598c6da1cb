"""A quick backbone recipe, and the files that its training writes."""

import json

import backbones
from harness.cli import main

RECIPE = """
from harness import Augmentation, BackboneRecipe, Expressions, Identities, Schedule, StillsConfig

recipe = BackboneRecipe(
    name="drawn",
    training=StillsConfig(
        backbone="tiny_mobilenet@random",
        identities=Identities(Schedule(epochs=1)),
        expressions=Expressions(Schedule(epochs=4, head_epochs=1), held_out=0.25),
        augmentation=Augmentation(strength=0.1),
        batch_size=8,
        threads=1,
    ),
)
"""
STAGES = {"identities-all": 1, "expressions-head": 1, "expressions-all": 4}


def entry_of(store):
    [folder] = [path for path in (store / "artifacts/backbones").iterdir() if not path.name.startswith(".")]
    return folder


def card_of(store):
    return json.loads((entry_of(store) / "card.json").read_text())


def tracked(store):
    """MLflow's client and the runs of backbones in the store."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return client, [run for run in found if run.data.tags["framelight.kind"] == "backbone"]


def steps(client, run, name):
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, name))


def require_whole_run(store):
    client, [run] = tracked(store)
    assert run.info.status == "FINISHED"
    for stage, epochs in STAGES.items():
        for value in ("loss", "accuracy" if stage == "identities-all" else "macro_f1", "learning_rate"):
            assert steps(client, run, f"{stage}/{value}") == list(range(1, epochs + 1)), (stage, value)
    return client, run


def entry_of_name(store, name):
    return next((store / "artifacts/backbones").glob(f"{name}-*"))


def card_of_named(store, name):
    return backbones.read_card(entry_of_name(store, name))


def said(capsys, *arguments, code=2):
    assert main([str(argument) for argument in arguments]) == code
    _, found, message = capsys.readouterr().err.strip().rpartition("framelight: ")
    assert found
    return message
