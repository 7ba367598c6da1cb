"""Records for tests of tracking and leaderboard."""

from harness.tracking.records import Record

CONTRACT_COLUMNS = {
    "rank",
    "run_id",
    "task",
    "dataset",
    "split",
    "protocol",
    "backbone",
    "features",
    "head",
    "kernel",
    "radius",
    "seeds",
    "metric",
    "value",
    "std",
    "ci_low",
    "ci_high",
    "tied_with_best",
    "coverage",
    "parameters",
    "kind",
    "settings",
    "optimistic",
    "flags",
    "p_value",
    "detectable",
}
"""Columns that every board has in every format."""


def record(group="0123456789ab", seed=0, value=0.5, **changes):
    """A finished expression run of group `group`; `changes` replace fields."""
    fields = dict(
        job_id=f"{group}-s{int(seed)}",
        group_id=group,
        kind="run",
        task="expr",
        dataset="rendered",
        data_digest="d0d0d0d0d0d0",
        split="validation",
        protocol="held-out",
        backbone="tiny_resnet",
        backbone_weights="checkpoint tiny_resnet_stills",
        weights_hash="ff" * 32,
        parameters=312_456,
        features="embeddings",
        head="logistic_regression",
        kernel="mean",
        radius=7,
        epoch=4,
        seed=seed,
        expected_seeds=(seed,),
        metric="P_EXPR",
        metrics={"P_EXPR": value, "accuracy": 0.6},
        unsmoothed={"P_EXPR": value - 0.02, "accuracy": 0.58},
        selection={"P_EXPR": value + 0.01},
        coverage=0.987,
        annotated=1000,
        scored=987,
        units=12,
        config={"l2": 0.0001, "epochs": 10},
        duration={"train": 2.5, "score": 0.5},
        recipe="abaw3_expr",
    )
    return Record(**{**fields, **changes})
