"""A location's MLflow client, and its many errors as one that a user can act on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from harness.tracking.location import Location, TrackingUnavailableError, lock_location, make_folder
from harness.tracking.mlflow_api import MlflowClient, ViewType
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write
from harness.utils.hashing import content_hash

if TYPE_CHECKING:
    from harness.tracking.mlflow_api import MlflowClient


PAGE_SIZE = 1000


def paginate(search: Any) -> list[Any]:
    """Everything `search(max_results, page_token)` finds."""
    found, token = [], None
    while True:
        page = search(max_results=PAGE_SIZE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


HEALTH_CHECK_ENVIRONMENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def health_check(client: MlflowClient) -> str:
    """'' when the server answers within 5 s, else why not."""
    before = {name: os.environ.get(name) for name in HEALTH_CHECK_ENVIRONMENT}
    os.environ.update(HEALTH_CHECK_ENVIRONMENT)
    try:
        client.search_experiments(max_results=1)
        return ""
    except Exception as error:  # MLflow, requests and urllib3 each have their own
        return first_line(error)
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]


DEFAULT_EXPERIMENT = "framelight"


def get_or_create_experiment(client: MlflowClient, location: Location, name: str | None = None) -> str:
    """Id of the experiment with this name; by default `framelight` (or $MLFLOW_EXPERIMENT_NAME).

    MLflow fixes an experiment's artifact folder for good; a store that was moved gets an experiment of its own.
    """
    wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    for known_as in (wanted, f"{wanted}-{content_hash(location.artifacts, 6)}"):
        known = client.get_experiment_by_name(known_as)
        if known is None:
            return _create_experiment(client, location, known_as)
        if known.lifecycle_stage == "active" and _has_same_artifact_root(location, known.artifact_location):
            return known.experiment_id
    raise FramelightError(
        f"the MLflow experiment '{wanted}' at {location.uri} was deleted; restore it in MLflow or "
        "name another in MLFLOW_EXPERIMENT_NAME"
    )


def _create_experiment(client: MlflowClient, location: Location, name: str) -> str:
    try:
        return client.create_experiment(name, location.artifacts)
    except Exception:  # another machine may have made it on the same server a moment ago
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return known.experiment_id


def _has_same_artifact_root(location: Location, artifact_location: str) -> bool:
    wanted = location.artifacts
    return wanted is None or location.database is None or unquote(urlparse(artifact_location).path) == wanted


class Connection:
    """An MLflow location that answers. Use it from one process, the parent; any number may do so at once.

    client: MLflow's; experiment: the id of the one that is written to, '' where nothing is written.
    """

    def __init__(self, location: Location, reading_only: bool = False, experiment: str | None = None) -> None:
        """experiment: the name of another than that of Framelight's runs."""
        self.location = location
        self._lost = False
        if not reading_only:
            make_folder(location.store.root)
            make_folder(location.lock.parent)
        with self.guard(FramelightError), nullcontext() if reading_only else lock_location(location):
            if location.database is not None:
                _create_database(location.database)
            self.client = MlflowClient(location.uri)
            if location.server:
                self._check_server()
            self.experiment = "" if reading_only else get_or_create_experiment(self.client, location, experiment)

    def search(self, condition: str, everywhere: bool = False) -> list[Any]:
        """The live runs that meet a condition in MLflow's words; everywhere: of all experiments."""
        experiments = (
            [e.experiment_id for e in paginate(self.client.search_experiments)] if everywhere else [self.experiment]
        )
        return paginate(partial(self.client.search_runs, experiments, condition, ViewType.ACTIVE_ONLY))

    @contextmanager
    def guard(self, kind: type[FramelightError] = TrackingUnavailableError) -> Iterator[None]:
        """MLflow's, SQLAlchemy's and the network's errors as `kind`."""
        if self._lost:
            raise TrackingUnavailableError(
                f"the MLflow server at {self.location.uri} no longer answers; results stay in "
                f"{self.location.store} and the next run sends them"
            )
        try:
            yield
        except FramelightError:
            raise
        except Exception as error:
            self._lost = self.location.server and bool(health_check(self.client))
            what = "no longer answers" if self._lost else "could not be used"
            advice = (
                "results stay in the store and the next run sends them"
                if kind is TrackingUnavailableError
                else "check that it is writable, has room and was made by this version of MLflow, or choose another"
            )
            raise kind(f"tracking at {self.location.uri} {what} ({first_line(error)}); {advice}") from error

    def _check_server(self) -> None:
        cause = health_check(self.client)
        if cause:
            raise FramelightError(
                f"the MLflow server at {self.location.uri} does not answer ({cause}); start it, "
                "correct --tracking-uri (or MLFLOW_TRACKING_URI), or leave it out to use the store"
            )


def _create_database(database: Path) -> None:
    """A new sqlite file with MLflow's schema, made aside: a process killed meanwhile leaves no half of one."""
    if database.exists():
        return
    for left in database.parent.glob(f".{database.name}.*.aside*"):
        left.unlink(missing_ok=True)
    with atomic_write(database) as aside:
        MlflowClient(f"sqlite:///{aside}").search_experiments(max_results=1)
