"""Check whether jobs and trainings of earlier runs can be reused; altered or damaged results are deleted."""

from __future__ import annotations

import logging
import shutil
from zipfile import is_zipfile

from harness.jobs.file_hashes import describe_alteration, find_altered_files, is_unreadable
from harness.jobs.job import Job
from harness.jobs.job_folder import STATISTICS, JobFolder
from harness.utils.errors import FramelightError

logger = logging.getLogger(__name__)


def is_finished(job: Job) -> bool:
    """Return whether the folder of a job is complete; an altered or damaged folder is deleted, and the job runs again.

    Raises
    ------
    FramelightError
        If a file belongs to another user and cannot be read.
    """
    files = JobFolder(job.folder)
    if not files.has_record():
        return False
    altered = find_altered_files(job.folder)
    if altered is None:  # no hashes, as expected only of old versions, whose records have no `code`
        record = files.read_record()
        has_statistics = files.statistics.is_file() or record.status != "finished"
        altered = ([files.hashes.name] if record.code else []) + ([] if has_statistics else [STATISTICS])
    if altered and is_unreadable(job.folder / altered[0]):
        raise FramelightError(
            f"{job.folder / altered[0]} cannot be read (no permission); let its owner share the store with your group "
            "(umask 002, folders with setgid), or choose another store with --store DIR"
        )
    if altered:
        logger.warning(f"{describe_alteration(job.folder / altered[0], 'the job finished')}; running the job again")
    elif all(map(is_zipfile, files.arrays)):
        return True
    _delete_outputs(job)
    return False


def are_predictions_intact(job: Job) -> bool:
    """Return whether a training has intact predictions; altered predictions are deleted, so that it runs again."""
    if not job.predictions.is_dir():
        return False
    altered = find_altered_files(job.predictions, full=True)
    if altered:
        logger.warning(f"{describe_alteration(job.predictions / altered[0], 'the training')}; training again")
        shutil.rmtree(job.predictions, ignore_errors=True)
    return not altered


def _delete_outputs(job: Job) -> None:
    for folder in (job.folder, job.predictions):
        shutil.rmtree(folder, ignore_errors=True)
