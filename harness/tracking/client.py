"""Connection to a tracking location: MLflow's client, with its errors converted to Framelight's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, cast

from backbones.proxies import proxy_advice
from backbones.temp_names import SUFFIX, temp_prefix
from harness.tracking.artifacts import local_path
from harness.tracking.bounded_client import BoundedClient, DatabaseLockedError, DeadlineError
from harness.tracking.database_errors import explain, first_line
from harness.tracking.location import Location, TrackingUnavailableError, lock_location, make_folder
from harness.tracking.mlflow_api import MlflowClient, ViewType
from harness.tracking.sqlite_uri import sqlite_uri
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write
from harness.utils.hashing import content_hash
from harness.utils.paths import environment_variable

PAGE_SIZE = 1000
MAX_PAGES, MAX_RESULTS = 10_000, 1_000_000
"""Maximum number of pages and of results of a search; a faulty server may return pages without end."""


def paginate(search: Any) -> list[Any]:
    """Collect the results of all pages of `search`, which is called with `max_results` and `page_token`.

    Raises
    ------
    FramelightError
        If a page token is repeated, or there are more than `MAX_PAGES` pages or `MAX_RESULTS` results.
    """
    results: list[Any] = []
    tokens: set[str] = set()
    token = None
    while True:
        page = search(max_results=PAGE_SIZE, page_token=token)
        results += page
        token = page.token
        if not token:
            return results
        if token in tokens:
            raise FramelightError("the search repeats a page, so it has no end")
        tokens.add(token)
        if len(tokens) >= MAX_PAGES or len(results) > MAX_RESULTS:
            raise FramelightError(f"the search exceeds the limit of {MAX_RESULTS:,} results or {MAX_PAGES:,} pages")


HEALTH_CHECK_ENVIRONMENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""Environment variables of the health check: timeout in seconds, number of retries."""


def health_check(client: BoundedClient) -> str:
    """Return "" if the server answers within 15 s, else the first line of the error."""
    before = {name: os.environ.get(name) for name in HEALTH_CHECK_ENVIRONMENT}
    os.environ.update(HEALTH_CHECK_ENVIRONMENT)
    try:
        client.ping()
        return ""
    except Exception as error:  # errors of MLflow, requests and urllib3 have no common class
        return first_line(error)
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


DEFAULT_EXPERIMENT = "framelight"


def get_or_create_experiment(client: MlflowClient, location: Location, name: str | None = None) -> str:
    """Return the id of an MLflow experiment; create the experiment if there is none.

    If the experiment was deleted in MLflow, a second experiment is used. The same holds if the store was moved, because
    MLflow cannot change the artifact folder of an experiment. The name of the second experiment ends with a hash of its
    folder.

    Parameters
    ----------
    client : MlflowClient
        Client of the location.
    location : Location
        The tracking location.
    name : str, optional
        Name of the experiment. Default: the environment variable MLFLOW_EXPERIMENT_NAME, or `framelight`.

    Raises
    ------
    FramelightError
        If both experiments were deleted in MLflow.
    """
    base_name = name or environment_variable("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    for candidate in (base_name, f"{base_name}-{content_hash(location.artifacts and str(location.store.mlflow), 6)}"):
        experiment = client.get_experiment_by_name(candidate)
        if experiment is None:
            return _create_experiment(client, location, candidate)
        if experiment.lifecycle_stage == "active" and _has_same_artifact_root(location, experiment.artifact_location):
            return experiment.experiment_id
    raise FramelightError(
        f"the MLflow experiment '{base_name}' at {location} was deleted; restore it in MLflow, or "
        "set MLFLOW_EXPERIMENT_NAME to another name"
    )


def _create_experiment(client: MlflowClient, location: Location, name: str) -> str:
    try:
        return client.create_experiment(name, location.artifacts)
    except Exception:  # another machine may have created it on the same server in the meantime
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return experiment.experiment_id


def _has_same_artifact_root(location: Location, artifact_location: str) -> bool:
    return location.database is None or local_path(artifact_location) == location.store.mlflow


class Connection:
    """Connection to an MLflow location.

    Use it from the parent process only, not from workers. Several parent processes may use one location at the same
    time.

    Parameters
    ----------
    location : Location
        The tracking location.
    reading_only : bool
        Do not create folders or an experiment.
    experiment : str, optional
        Name of an MLflow experiment. Default: the experiment of Framelight's runs.

    Attributes
    ----------
    client : MlflowClient
        MLflow's client.
    experiment : str
        Id of the experiment that is written to; "" if `reading_only`.

    Raises
    ------
    FramelightError
        If the location does not answer or cannot be used.
    """

    def __init__(self, location: Location, reading_only: bool = False, experiment: str | None = None) -> None:
        self.location = location
        self._lost = False
        if not reading_only:
            make_folder(location.store.root)
            make_folder(location.lock.parent)
        with self.guard(FramelightError), nullcontext() if reading_only else lock_location(location):
            if location.database is not None:
                _create_database(location.database)
            self._bounded = BoundedClient(location, MlflowClient)
            self.client = cast("MlflowClient", self._bounded)
            if location.server:
                self._check_server()
            self.experiment = "" if reading_only else get_or_create_experiment(self.client, location, experiment)

    def search(self, condition: str, everywhere: bool = False) -> list[Any]:
        """Return the active runs that match an MLflow filter string, in all experiments if `everywhere`."""
        experiments = (
            [e.experiment_id for e in paginate(self.client.search_experiments)] if everywhere else [self.experiment]
        )
        return paginate(partial(self.client.search_runs, experiments, condition, ViewType.ACTIVE_ONLY))

    @contextmanager
    def guard(self, kind: type[FramelightError] = TrackingUnavailableError) -> Iterator[None]:
        """Context manager that converts errors of MLflow, SQLAlchemy and the network to `kind`.

        Raises
        ------
        TrackingUnavailableError
            On entering, if the server stopped answering before.
        """
        if self._lost:
            raise TrackingUnavailableError(
                f"the MLflow server at {self.location.uri} no longer answers; results stay in "
                f"{self.location.store} and the next run sends them"
            )
        try:
            yield
        except DeadlineError as error:
            self._lost = True
            raise kind(str(error)) from error
        except DatabaseLockedError as error:
            raise kind(f"{error}{_results_stay(kind)}") from error
        except FramelightError:
            raise
        except Exception as error:
            self._lost = self.location.server and bool(health_check(self._bounded))
            what = "no longer answers" if self._lost else "failed"
            advice = "check that the installed version of MLflow created the database, or choose another location"
            reason, advice = explain(error, self.location.database, "" if self.location.server else advice)
            advice = (advice + _results_stay(kind)).removeprefix("; ") or "check the server and the network"
            advice += proxy_advice(self.location.uri) if self._lost else ""
            raise kind(f"tracking at {self.location} {what} ({reason}); {advice}") from error

    def _check_server(self) -> None:
        cause = health_check(self._bounded)
        if cause:
            raise FramelightError(
                f"the MLflow server at {self.location.uri} does not answer ({cause}); start the server, "
                "correct --tracking-uri (or MLFLOW_TRACKING_URI), or omit the option to use the store"
                f"{proxy_advice(self.location.uri)}"
            )


def _results_stay(kind: type[FramelightError]) -> str:
    """Return a note that no result is lost if `kind` is the error of a result that cannot be sent, else ""."""
    return "; results stay in the store and the next run sends them" if kind is TrackingUnavailableError else ""


def _create_database(database: Path) -> None:
    """Create a sqlite file with MLflow's schema atomically, so that a killed process leaves no incomplete file."""
    if database.exists():
        return
    for stale in database.parent.glob(f"{escape(temp_prefix(database.name))}*{SUFFIX}*"):
        stale.unlink(missing_ok=True)
    with atomic_write(database) as tmp_path:
        migrate(tmp_path)


def migrate(database: Path) -> None:
    """Apply MLflow's migrations to a new sqlite file; this takes about a second."""
    MlflowClient(sqlite_uri(database)).search_experiments(max_results=1)
