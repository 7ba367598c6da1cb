"""A location's MLflow client, and its many errors as one that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from harness.tracking.answering import brief, why_silent
from harness.tracking.door import MlflowClient, ViewType
from harness.tracking.experiment import find_or_make
from harness.tracking.location import Location, TrackingLost
from harness.tracking.paging import pages
from harness.tracking.writer import locked, make_folder
from harness.utils.errors import FramelightError
from harness.utils.files import writing


class Connection:
    """An MLflow location that answers. Use it from one process, the parent; any number may do so at once.

    client: MLflow's; experiment: the id of the one that is written to, '' where nothing is written.
    """

    def __init__(self, location: Location, reading_only: bool = False, experiment: str | None = None) -> None:
        """experiment: the name of another than that of Framelight's runs."""
        self.location = location
        self._lost = False
        if not reading_only:
            make_folder(location.store)
            make_folder(location.lock.parent)
        with self.guard(FramelightError), nullcontext() if reading_only else locked(location):
            if location.database is not None:
                _make_database(location.database)
            self.client = MlflowClient(location.uri)
            if location.server:
                self._require_answer()
            self.experiment = "" if reading_only else find_or_make(self.client, location, experiment)

    def search(self, condition: str, everywhere: bool = False) -> list[Any]:
        """The live runs that meet a condition in MLflow's words; everywhere: of all experiments."""
        experiments = [e.experiment_id for e in pages(self.client.search_experiments)] if everywhere else \
            [self.experiment]
        return pages(partial(self.client.search_runs, experiments, condition, ViewType.ACTIVE_ONLY))

    @contextmanager
    def guard(self, kind: type[FramelightError] = TrackingLost) -> Iterator[None]:
        """MLflow's, SQLAlchemy's and the network's errors as `kind`."""
        if self._lost:
            raise TrackingLost(f"the MLflow server at {self.location.uri} no longer answers; results stay in "
                               f"{self.location.store} and the next run sends them")
        try:
            yield
        except FramelightError:
            raise
        except Exception as error:
            self._lost = self.location.server and bool(why_silent(self.client))
            what = "no longer answers" if self._lost else "could not be used"
            advice = ("results stay in the store and the next run sends them" if kind is TrackingLost else
                      "check that it is writable, has room and was made by this version of MLflow, or choose another")
            raise kind(f"tracking at {self.location.uri} {what} ({brief(error)}); {advice}") from error

    def _require_answer(self) -> None:
        cause = why_silent(self.client)
        if cause:
            raise FramelightError(f"the MLflow server at {self.location.uri} does not answer ({cause}); start it, "
                                  "correct --tracking-uri (or MLFLOW_TRACKING_URI), or leave it out to use the store")


def _make_database(database: Path) -> None:
    """A new sqlite file with MLflow's schema, made aside: a process killed meanwhile leaves no half of one."""
    if database.exists():
        return
    for left in database.parent.glob(f".{database.name}.*.aside*"):
        left.unlink(missing_ok=True)
    with writing(database) as aside:
        MlflowClient(f"sqlite:///{aside}").search_experiments(max_results=1)
