"""The MLflow experiment that a location's runs are in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from harness.tracking.location import Location
from harness.utils.errors import FramelightError
from harness.utils.hashing import digest

if TYPE_CHECKING:
    from harness.tracking.door import MlflowClient

EXPERIMENT = "framelight"


def find_or_make(client: MlflowClient, location: Location, name: str | None = None) -> str:
    """Id of the experiment with this name; by default `framelight` (or $MLFLOW_EXPERIMENT_NAME).

    MLflow fixes an experiment's artifact folder for good; a store that was moved gets an experiment of its own.
    """
    wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    for known_as in (wanted, f"{wanted}-{digest(location.artifacts, 6)}"):
        known = client.get_experiment_by_name(known_as)
        if known is None:
            return _make(client, location, known_as)
        if known.lifecycle_stage == "active" and _keeps_here(location, known.artifact_location):
            return known.experiment_id
    raise FramelightError(f"the MLflow experiment '{wanted}' at {location.uri} was deleted; restore it in MLflow or "
                          "name another in MLFLOW_EXPERIMENT_NAME")


def _make(client: MlflowClient, location: Location, name: str) -> str:
    try:
        return client.create_experiment(name, location.artifacts)
    except Exception:  # another machine may have made it on the same server a moment ago
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return known.experiment_id


def _keeps_here(location: Location, artifact_location: str) -> bool:
    wanted = location.artifacts
    return wanted is None or location.database is None or unquote(urlparse(artifact_location).path) == wanted
