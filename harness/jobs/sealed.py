"""The labels of the reported split, and the two doors to them. Nothing else in `harness.jobs` reads them.

They are read anew for each job and kept nowhere, so that no later choice of the same process can meet them.
"""

from __future__ import annotations

from harness.data.dataset import Labels
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED
from harness.jobs.annotated import require_unchanged
from harness.jobs.frozen import Frozen
from harness.jobs.job import Job
from harness.utils.errors import FramelightError


class Sealed:
    """The reported split's labels of one job. Code that trains or chooses is given neither this nor the data's place.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self, frozen: Frozen) -> Labels:
        """The labels, once the job's choice lies on disk; FramelightError where it does not."""
        if frozen.job_id != self._job.job_id or not frozen.stands():
            raise FramelightError(f"{frozen.path}: the labels of the reported split stay shut until the choice of job "
                                  f"{self._job.job_id} is frozen there")
        return self._read()

    def published(self) -> Labels:
        """The labels, to choose on them as the protocol `published` does; FramelightError for any other protocol."""
        protocol = self._job.configuration.protocol.name
        if protocol != "published":
            raise FramelightError(f"job {self._job.job_id}: the protocol {protocol} must not choose on the labels of "
                                  "the reported split")
        return self._read()

    def _read(self) -> Labels:
        job = self._job
        try:
            dataset = open_dataset(job.data)
            labels = dataset.labels(job.configuration.task, REPORTED)
            require_unchanged(dataset, job.configuration.task, job.labels)
        except OSError as error:
            raise FramelightError(f"{error.filename}: the annotations cannot be read any more ({error.strerror}); run "
                                  "the recipe again") from error
        return labels
