"""One seed of a finished run with its scores, predictions, labels and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.jobs.job import Configuration
from harness.jobs.job_folder import JobFolder
from harness.jobs.job_statistics import JobStatistics
from harness.jobs.labels import load_reported_labels
from harness.jobs.tables import labels_table, predictions_table
from harness.leaderboard.dataset_folders import DatasetFolders
from harness.leaderboard.finished_run import FinishedRun
from harness.leaderboard.significance import SignificanceCache
from harness.metrics.tasks import get_task
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking import remote_job_files

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class TrackedRun(FinishedRun):
    """One seed of a finished run. Files are read on first access.

    Attributes
    ----------
    config : Configuration
        Everything that the result depends on except the seed. Data and weights are given by their hashes.
    record : Record
        Tracked names, scores and selected values, such as `kernel`, `radius` and `thresholds`.
    metrics : mapping of str to float
        Scores on the reported split.
    predictions : pandas.DataFrame
        One row for each frame of the reported split that has a crop: `video`, `frame`, the smoothed outputs, then the
        raw outputs. Smoothed outputs are named as in the tables of `framelight predict` (`expression`, `p_Anger`,
        `valence`, `AU1`, `p_AU1`, ...), raw outputs have a suffix (`expression_raw`, ...).
    labels : pandas.DataFrame
        One row for each annotated frame of the reported split: `video`, `frame`, `unit` (the video, or the
        subject of a still image), and `expression`, `valence`, `arousal` or the action units. Invalid labels are
        missing values.
    statistics : SufficientStatistics
        Sufficient statistics of the scores, by unit.
    units : tuple of str
        Names of the units.
    figures : list of Path
        PNG files, which are drawn for only one seed of a run.
    folder : Path
        The folder of the job.
    folders : DatasetFolders
        Finds the dataset, for `labels`.
    """

    folders: DatasetFolders

    @property
    def config(self) -> Configuration:
        """Everything that the result depends on except the seed."""
        return self.configuration

    @property
    def metrics(self) -> Mapping[str, float]:
        """Scores on the reported split."""
        return self.record.metrics

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Smoothed and raw predictions, one row for each frame of the reported split that has a crop."""
        return predictions_table(get_task(self.record.task), self.load_predictions(), self.filter)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Labels, one row for each annotated frame of the reported split."""
        record, (root, _) = self.record, self.folders.find_folder(self.record)
        return labels_table(get_task(record.task), load_reported_labels(self.folder, record.job_id, root, record.task))

    @property
    def statistics(self) -> SufficientStatistics:
        """Sufficient statistics of the scores, by unit."""
        return self._job_statistics[1]

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units."""
        return self._job_statistics[0]

    @property
    def figures(self) -> list[Path]:
        """PNG files of the figures."""
        return sorted(JobFolder(self.folder).pictures.glob("*.png"))

    @cached_property
    def _job_statistics(self) -> JobStatistics:
        return SignificanceCache(self.store, remote_job_files(self.store)).statistics(self.record)

    def __repr__(self) -> str:
        record = self.record
        return (
            f"<TrackedRun {record.job_id}: {record.task} on {record.dataset}, {record.backbone}, "
            f"{record.features}, {record.head or 'no head'}, {record.metric} {self.metrics[record.metric]:z.3f}>"
        )
