"""Schedule the jobs of a run: groups that are trained together first, then the single jobs."""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.jobs.job import LABELS, Job
from harness.tracking.records import Record
from harness.training.heads.config import BATCHED_KINDS, HeadConfig, without_per_head_settings
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.runner.pruning import PruningClient

logger = logging.getLogger(__name__)

MAX_LINEAR_GROUP = 16
"""Maximum number of trainings in a group with linear heads. They spend most time on reading features, which a group
reads only once."""
MAX_HIDDEN_GROUP = 4
"""Maximum number of trainings in a group with hidden layers. They spend most time on arithmetic, which is faster if
small groups are distributed over the workers."""


def group_jobs(jobs: Iterable[Job]) -> list[list[Job]]:
    """Group the jobs that can be trained together.

    Jobs that differ only in their postprocessing share a training and are in the same group. Jobs that are in no group
    are trained alone.

    Parameters
    ----------
    jobs : iterable of Job
        The jobs.

    Returns
    -------
    list of list of Job
        Groups of at least two trainings, in the order of `jobs`.
    """
    by_kind: dict[Job, dict[str, list[Job]]] = {}
    for job in jobs:
        head = job.configuration.head
        if head is not None and head.kind in BATCHED_KINDS and job.configuration.features != LABELS:
            by_kind.setdefault(_group_key(job, head), {}).setdefault(job.training_id, []).append(job)
    return [
        [job for training in chunk for job in training]
        for kind, trainings in by_kind.items()
        for chunk in _chunks(list(trainings.values()), _max_group_size(kind.configuration.head))
        if len(chunk) > 1
    ]


def _max_group_size(head: HeadConfig | None) -> int:
    return MAX_HIDDEN_GROUP if head is not None and head.hidden else MAX_LINEAR_GROUP


def _chunks(trainings: list[list[Job]], size: int) -> Iterator[list[list[Job]]]:
    """Divide trainings into consecutive chunks; all but the last are full, so a resumed run forms the same groups."""
    return (trainings[start : start + size] for start in range(0, len(trainings), size))


def _group_key(job: Job, head: HeadConfig) -> Job:
    """Return a job reduced to the settings that all jobs of its group share, as the key of the group."""
    training = dataclasses.replace(job.training_configuration, head=without_per_head_settings(head))
    labels: dict[str, Any] = {"recipe": "", "flags": (), "expected_seeds": (), "expected_trainings": ()}
    labels |= {"training": None, "training_group": ""}
    return dataclasses.replace(job, configuration=training, pictures=False, **labels)


@dataclass(frozen=True)
class _WorkItem:
    """Unit of work of a worker: one job, or the training of a group.

    Attributes
    ----------
    jobs : tuple of Job
        The job, or the jobs of the group.
    begun : bool
        Whether the jobs were submitted before, as part of a group.
    """

    jobs: tuple[Job, ...]
    begun: bool = False

    @property
    def is_group(self) -> bool:
        return len(self.jobs) > 1


class JobScheduler:
    """Runs jobs on an executor; iterating yields each job with its record or its error, in order of completion.

    If the training of a group fails, its jobs are trained one by one.

    Parameters
    ----------
    executor : Executor
        Runs the jobs.
    workers : int
        Number of workers of the executor.
    jobs : mapping of Job to PruningClient or None
        The jobs, and the client through which each job reports its epochs.
    trained : callable
        Returns whether a job has its predictions already.
    begin : callable
        Called with each job before it is first submitted.

    Raises
    ------
    FramelightError
        On iterating, if a worker process dies.
    """

    def __init__(
        self,
        executor: Executor,
        workers: int,
        jobs: Mapping[Job, PruningClient | None],
        trained: Callable[[Job], bool],
        begin: Callable[[Job], None],
    ) -> None:
        self.executor, self.pruning_clients, self.begin = executor, jobs, begin
        self.max_running = workers + 1 if workers > 1 else 1  # enough to keep the workers busy
        groups = [tuple(group) for group in group_jobs(job for job in jobs if not trained(job))]
        grouped = {job for group in groups for job in group}
        self.waiting = deque(
            [_WorkItem(group) for group in groups] + [_WorkItem((j,)) for j in jobs if j not in grouped]
        )

    def __iter__(self) -> Iterator[tuple[Job, Record | BaseException]]:
        for item, future in self._iter_completed():
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise FramelightError(
                    f"a worker process died (out of memory?); job {item.jobs[0].job_id} was among those running; "
                    "run the command again, with fewer --jobs"
                ) from error
            if not item.is_group:
                yield item.jobs[0], future.result() if error is None else error
                continue
            if error is not None:
                logger.info(f"training {len(item.jobs)} jobs one by one, as training them together failed: {error}")
            pruned = {} if error else future.result()
            self.waiting.extend(_WorkItem((job,), begun=True) for job in item.jobs if job.job_id not in pruned)
            yield from ((job, pruned[job.job_id]) for job in item.jobs if job.job_id in pruned)

    def _iter_completed(self) -> Iterator[tuple[_WorkItem, Future]]:
        running: dict[Future, _WorkItem] = {}
        try:
            while self.waiting or running:
                while self.waiting and len(running) < self.max_running:
                    item = self.waiting.popleft()
                    running[self._submit(item)] = item
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future
        finally:
            for future in running:
                future.cancel()

    def _submit(self, item: _WorkItem) -> Future:
        from harness.jobs.execute import run_job, train_group

        for job in () if item.begun else item.jobs:
            self.begin(job)
        pruning_clients = [self.pruning_clients[job] for job in item.jobs]
        if item.is_group:
            return self.executor.submit(train_group, list(item.jobs), pruning_clients)
        return self.executor.submit(run_job, item.jobs[0], pruning_clients[0])
