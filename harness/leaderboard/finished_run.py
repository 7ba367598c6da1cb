"""Finished runs that can predict: their configuration, model files and predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.frozen_selection import verify_model_files, verify_predictions
from harness.jobs.job import Configuration, parse_configuration
from harness.jobs.job_folder import JobFolder
from harness.jobs.predictions import Predictions
from harness.leaderboard.runs import find_records, select_seed
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification import RunVerifier
from harness.smoothing.kernels import SmoothingParams
from harness.tracking import remote_job_files
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.names import recipe_argument
from harness.utils.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedRun:
    """A finished job whose files are in a store.

    Attributes
    ----------
    record : Record
        The record of the job.
    configuration : Configuration
        The configuration of the job.
    store : Store
        The store that holds the files.
    """

    record: Record
    configuration: Configuration
    store: Store

    @property
    def folder(self) -> Path:
        """The folder of the job."""
        return self.store.job(self.record.job_id)

    @property
    def filter(self) -> SmoothingParams:
        """The selected smoothing and thresholds."""
        record = self.record
        return SmoothingParams(record.kernel, record.radius, self.configuration.smoothing.gaps, record.thresholds)

    def load_predictions(self) -> Predictions:
        """Load the predictions on the reported split.

        Raises
        ------
        FramelightError
            If the file is missing, was changed or cannot be read.
        """
        path = JobFolder(self.folder).reported
        verify_predictions(self.folder, self.record.job_id, self.rerun_hint)
        try:
            return Predictions.load(path)
        except (OSError, ValueError) as error:
            raise FramelightError(f"{path} cannot be read ({error}); {self.rerun_hint}") from error

    @property
    def rerun_hint(self) -> str:
        """How to run the job again, for an error message."""
        recipe = recipe_argument(self.record.recipe)
        return f"run it again: framelight run {recipe} --data DIR --store {self.store} --force"

    @property
    def optimistic(self) -> bool:
        """Whether the run was selected on the labels that it is scored on."""
        return self.configuration.protocol.name == "published"


def find_finished_run(records: Sequence[Record], text: str, seed: int | None, store: Store) -> FinishedRun:
    """Find one seed of a run that can predict, and verify its files.

    Parameters
    ----------
    records : sequence of Record
        Records in any order.
    text : str
        A run; see `find_records`.
    seed : int or None
        None for the lowest seed.
    store : Store
        The store of the run.

    Returns
    -------
    FinishedRun
        The finished job of the seed.

    Raises
    ------
    InputError
        If the run or seed does not exist, the run cannot predict, or the model is not in this store.
    FramelightError
        If a file of the job is missing or was altered, the recorded score does not follow from the job's statistics, or
        another version of Framelight ran the job.
    """
    verifier = RunVerifier(store, SignificanceCache(store, remote_job_files(store)), full=True)
    record = select_seed(find_records(records, text, verifier.verify), seed)
    if record.kind == "published":
        raise InputError(f"{text} is a published result without a model; choose another run")
    if "uses_labels" in record.flags:
        raise InputError(
            f"run {record.group_id} ({record.backbone}) predicts from the labels of the videos, which new images "
            "do not have; choose another run"
        )
    folder = store.job(record.job_id)
    if not folder.is_dir():
        raise InputError(
            f"the model of run {record.job_id} is not in {store} ({folder} is missing); name the store of the run "
            "with --store DIR"
        )
    run = FinishedRun(record, parse_configuration(record), store)
    if not verify_model_files(folder, record.job_id, run.rerun_hint):
        logger.info(
            f"run {record.job_id} was made by an earlier version, which stored no hash of the model: its files cannot "
            "be verified"
        )
    for problem in verifier.verify([record]).problems:
        raise FramelightError(problem)
    verifier.save()
    return run
