"""Which jobs are trained together: those that differ in what a head of several may have of its own, and in no more.

What is in a group depends on the list of jobs alone, never on the number of workers: the rounding of a head that is
trained among others depends a little on them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from harness.jobs.job import LABELS, Job
from harness.training.heads.config import HeadConfig, alike

MOST = 16
"""Trainings of a group whose heads are linear: reading is most of the work of one, which is then done once."""
MOST_HIDDEN = 4
"""Trainings of a group whose heads have a hidden layer: arithmetic is most of the work, and workers share it out."""


def groups(jobs: Iterable[Job]) -> list[list[Job]]:
    """Lists of jobs to be trained together, each of two trainings or more, in the order of `jobs`.

    Jobs that differ in what is done with outputs alone share a training and are in the same group. A job that is in
    none trains alone: nothing else is like it, its head consists of several networks, or it trains no head.
    """
    by_kind: dict[Job, dict[str, list[Job]]] = {}
    for job in jobs:
        head = job.configuration.head
        if head is not None and head.kind != "separate" and job.configuration.features != LABELS:
            by_kind.setdefault(_kind(job, head), {}).setdefault(job.training_id, []).append(job)
    return [[job for training in some for job in training]
            for kind, trainings in by_kind.items()
            for some in _chunks(list(trainings.values()), MOST_HIDDEN if kind.configuration.head.hidden else MOST)
            if len(some) > 1]


def _chunks(trainings: list[list[Job]], size: int) -> Iterator[list[list[Job]]]:
    """Full ones but for the last, so that what a killed run has left to do falls into the same groups."""
    return (trainings[start:start + size] for start in range(0, len(trainings), size))


def _kind(job: Job, head: HeadConfig) -> Job:
    """A job with all that the jobs of a group share, and nothing besides."""
    training = dataclasses.replace(job.training_configuration, head=alike(head))
    return dataclasses.replace(job, configuration=training, recipe="", flags=(), pictures=False, expected_seeds=())
