"""The order in which the jobs of a run are worked on: groups that train together first, then what is left of each."""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.jobs.job import LABELS, Job
from harness.tracking.records import Record
from harness.training.heads.config import BATCHED_KINDS, HeadConfig, without_per_head_settings
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.runner.pruning import PruningClient

logger = logging.getLogger(__name__)

MAX_LINEAR_GROUP = 16
"""Trainings of a group whose heads are linear: reading is most of the work of one, which is then done once."""
MAX_HIDDEN_GROUP = 4
"""Trainings of a group whose heads have a hidden layer: arithmetic is most of the work, and workers share it out."""


def group_jobs(jobs: Iterable[Job]) -> list[list[Job]]:
    """Lists of jobs to be trained together, each of two trainings or more, in the order of `jobs`.

    Jobs that differ in what is done with outputs alone share a training and are in the same group. A job that is in
    none trains alone: nothing else is like it, its kind of head is not trained in groups, or it trains no head.
    """
    by_kind: dict[Job, dict[str, list[Job]]] = {}
    for job in jobs:
        head = job.configuration.head
        if head is not None and head.kind in BATCHED_KINDS and job.configuration.features != LABELS:
            by_kind.setdefault(_group_key(job, head), {}).setdefault(job.training_id, []).append(job)
    return [
        [job for training in some for job in training]
        for kind, trainings in by_kind.items()
        for some in _chunks(
            list(trainings.values()), MAX_HIDDEN_GROUP if kind.configuration.head.hidden else MAX_LINEAR_GROUP
        )
        if len(some) > 1
    ]


def _chunks(trainings: list[list[Job]], size: int) -> Iterator[list[list[Job]]]:
    """Full ones but for the last, so that what a killed run has left to do falls into the same groups."""
    return (trainings[start : start + size] for start in range(0, len(trainings), size))


def _group_key(job: Job, head: HeadConfig) -> Job:
    """A job with all that the jobs of a group share, and nothing besides."""
    training = dataclasses.replace(job.training_configuration, head=without_per_head_settings(head))
    return dataclasses.replace(job, configuration=training, recipe="", flags=(), pictures=False, expected_seeds=())


@dataclass(frozen=True)
class _WorkItem:
    """What a worker is given at once: a job, or the training of a group. begun: its jobs have been handed out before."""

    jobs: tuple[Job, ...]
    begun: bool = False

    @property
    def is_group(self) -> bool:
        return len(self.jobs) > 1


class JobScheduler:
    """Runs jobs on an executor: iterated over, it gives each with its record or its error, as they come.

    jobs: with whom each reports its epochs to, if anybody; trained: whether a job need not train; begin: called with
    each job when it is first handed out. Jobs of a group that could not be trained then train one by one.
    FramelightError when a worker dies.
    """

    def __init__(
        self,
        executor: Executor,
        workers: int,
        jobs: Mapping[Job, PruningClient | None],
        trained: Callable[[Job], bool],
        begin: Callable[[Job], None],
    ) -> None:
        self.executor, self.reporters, self.begin = executor, jobs, begin
        self.ahead = workers + 1 if workers > 1 else 1  # no more is submitted than keeps the workers busy
        together = [tuple(group) for group in group_jobs(job for job in jobs if not trained(job))]
        grouped = {job for group in together for job in group}
        self.waiting = deque(
            [_WorkItem(group) for group in together] + [_WorkItem((j,)) for j in jobs if j not in grouped]
        )

    def __iter__(self) -> Iterator[tuple[Job, Record | BaseException]]:
        for piece, future in self._iter_completed():
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise FramelightError(
                    f"a worker process died while it ran job {piece.jobs[0].job_id} (out of memory?)"
                    "; run the command again, with fewer --jobs"
                ) from error
            if not piece.is_group:
                yield piece.jobs[0], future.result() if error is None else error
                continue
            if error is not None:
                logger.info(f"{len(piece.jobs)} jobs are trained one by one, not together: {error}")
            ended = {} if error else future.result()
            self.waiting.extend(_WorkItem((job,), begun=True) for job in piece.jobs if job.job_id not in ended)
            yield from ((job, ended[job.job_id]) for job in piece.jobs if job.job_id in ended)

    def _iter_completed(self) -> Iterator[tuple[_WorkItem, Future]]:
        running: dict[Future, _WorkItem] = {}
        try:
            while self.waiting or running:
                while self.waiting and len(running) < self.ahead:
                    piece = self.waiting.popleft()
                    running[self._submit(piece)] = piece
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future
        finally:
            for future in running:
                future.cancel()

    def _submit(self, piece: _WorkItem) -> Future:
        from harness.jobs.execute import run_job, train_group

        for job in () if piece.begun else piece.jobs:
            self.begin(job)
        reporters = [self.reporters[job] for job in piece.jobs]
        if piece.is_group:
            return self.executor.submit(train_group, list(piece.jobs), reporters)
        return self.executor.submit(run_job, piece.jobs[0], reporters[0])
