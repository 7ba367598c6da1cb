"""The order in which the jobs of a run are worked on: groups that train together first, then what is left of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.jobs.job import Job
from harness.jobs.together import groups
from harness.tracking.records import Record
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.reporting import Reporter


@dataclass(frozen=True)
class _Piece:
    """What a worker is given at once: a job, or the training of a group. begun: its jobs have been handed out before.
    """

    jobs: tuple[Job, ...]
    begun: bool = False

    @property
    def together(self) -> bool:
        return len(self.jobs) > 1


class Schedule:
    """Runs jobs on an executor: iterated over, it gives each with its record or its error, as they come.

    jobs: with whom each reports its epochs to, if anybody; trained: whether a job need not train; begin: called with
    each job when it is first handed out; say: told of a group that could not be trained, whose jobs then train alone.
    FramelightError when a worker dies.
    """

    def __init__(self, executor: Executor, workers: int, jobs: Mapping[Job, Reporter | None],
                 trained: Callable[[Job], bool], begin: Callable[[Job], None], say: Callable[[str], None]) -> None:
        self.executor, self.reporters, self.begin, self.say = executor, jobs, begin, say
        self.ahead = workers + 1 if workers > 1 else 1  # no more is submitted than keeps the workers busy
        together = [tuple(group) for group in groups(job for job in jobs if not trained(job))]
        grouped = {job for group in together for job in group}
        self.waiting = deque([_Piece(group) for group in together] + [_Piece((j,)) for j in jobs if j not in grouped])

    def __iter__(self) -> Iterator[tuple[Job, Record | BaseException]]:
        for piece, future in self._ended():
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise FramelightError(f"a worker process died while it ran job {piece.jobs[0].job_id} (out of memory?)"
                                      "; run the command again, with fewer --jobs") from error
            if not piece.together:
                yield piece.jobs[0], future.result() if error is None else error
                continue
            if error is not None:
                self.say(f"{len(piece.jobs)} jobs are trained one by one, not together: {error}")
            ended = {} if error else future.result()
            self.waiting.extend(_Piece((job,), begun=True) for job in piece.jobs if job.job_id not in ended)
            yield from ((job, ended[job.job_id]) for job in piece.jobs if job.job_id in ended)

    def _ended(self) -> Iterator[tuple[_Piece, Future]]:
        running: dict[Future, _Piece] = {}
        try:
            while self.waiting or running:
                while self.waiting and len(running) < self.ahead:
                    piece = self.waiting.popleft()
                    running[self._submitted(piece)] = piece
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future
        finally:
            for future in running:
                future.cancel()

    def _submitted(self, piece: _Piece) -> Future:
        from harness.jobs.execute import compute, compute_together

        for job in () if piece.begun else piece.jobs:
            self.begin(job)
        reporters = [self.reporters[job] for job in piece.jobs]
        if piece.together:
            return self.executor.submit(compute_together, list(piece.jobs), reporters)
        return self.executor.submit(compute, piece.jobs[0], reporters[0])
