"""Ways in which an answer can reach the features of a run."""

from __future__ import annotations

from collections.abc import Sequence

from harness.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.tasks import task as find_task

NAMES = {"expr": frozenset(name.lower() for name in (*EXPRESSIONS, "Contempt") if name != "Other"),
         "va": frozenset(name.lower() for name in AFFECTS),
         "au": frozenset(name.lower() for name in ACTION_UNITS)}
"""What score columns are called that predict an output; `Other` is what any classifier may call its rest."""


def own_scores(task: str, features: str, score_labels: Sequence[str]) -> bool:
    """Whether the features hold a backbone's own predictions of what the task asks for.

    features: of a job (`scores`, `embeddings+scores`, ...); score_labels: names of the backbone's score columns,
    () where they mean nothing (random weights, identities). Any expression counts for `expr`, valence or arousal for
    `va`, an action unit for `au`, and any of these for `mtl`.
    """
    if "scores" not in features.split("+"):
        return False
    columns = {name.lower() for name in score_labels}
    return any(not columns.isdisjoint(NAMES[output.name]) for output in find_task(task).outputs)
