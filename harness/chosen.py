"""A run that predicts on images of others: one seed's record, its configuration and where its model is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from harness.data.dataset import Dataset
from harness.data.fingerprint import dataset_digest
from harness.data.splits import REPORTED as VALIDATION
from harness.data.splits import TRAINING, annotations_digest
from harness.jobs.frozen_selection import require_model, require_predictions
from harness.jobs.job import Configuration, configuration_of
from harness.jobs.predictions import Predictions
from harness.jobs.training import REPORTED
from harness.runs import find
from harness.smoothing.kernels import Filter
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.hashing import digest


@dataclass(frozen=True)
class Chosen:
    """A finished job; folder: what it left in the store."""

    record: Record
    configuration: Configuration
    folder: Path

    @property
    def filter(self) -> Filter:
        record = self.record
        return Filter(record.kernel, record.radius, self.configuration.smoothing.gaps, record.thresholds)

    def kept(self) -> Predictions:
        """What it predicted of the split it was scored on; FramelightError where that is gone, altered or unreadable.
        """
        path = self.folder / REPORTED
        require_predictions(self.folder, self.record.job_id, self.again)
        try:
            return Predictions.load(path)
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise FramelightError(f"{path} cannot be read ({error}); {self.again}") from error

    @property
    def again(self) -> str:
        """What makes this run anew, in words for an error."""
        store = self.folder.parents[2]
        return f"make the run again: framelight run {self.record.recipe or 'RECIPE'} --data DIR --store {store} --force"

    @property
    def optimistic(self) -> bool:
        """Whether it was chosen on the very labels it was scored on."""
        return self.configuration.protocol.name == "published"


def of_data(records: Sequence[Record], dataset: Dataset, store: Path) -> list[Record]:
    """Those on the very images and annotations of `dataset`; all of them where there is none."""
    images = dataset_digest(dataset, store / "features" / "digests.json")
    here = {task: digest([images, annotations_digest(dataset, task)]) for task in dataset.tasks()
            if {TRAINING, VALIDATION} <= set(dataset.splits(task))}
    return [record for record in records if record.data_digest == here.get(record.task)] or list(records)


def chosen_run(records: Sequence[Record], text: str, seed: int | None, store: Path,
               say: Callable[[str], None] | None = None) -> Chosen:
    """The job that RUN and a seed (default: the first) name; `say` is told where its model cannot be checked.

    InputError for a run that cannot predict, a seed it does not have, or one whose model is not in this store;
    FramelightError where a file of its model is gone or altered.
    """
    found = sorted(find(records, text), key=lambda record: record.seed)
    of_seed = {record.seed: record for record in found}
    if seed is not None and seed not in of_seed:
        raise InputError(f"run {found[0].group_id} has no finished seed {seed}; it has {', '.join(map(str, of_seed))}")
    record = found[0] if seed is None else of_seed[seed]
    if record.kind == "published":
        raise InputError(f"{text} is a published figure; there is no model behind it here")
    if "uses_labels" in record.flags:
        raise InputError(f"run {record.group_id} ({record.backbone}) predicts from the labels of the videos "
                         "themselves, and new images have none; take another run")
    folder = store / "artifacts" / "jobs" / record.job_id
    if not folder.is_dir():
        raise InputError(f"the model of run {record.job_id} is not in {store} ({folder} is missing); name the store "
                         "that it ran in with --store DIR")
    chosen = Chosen(record, configuration_of(record), folder)
    if not require_model(folder, record.job_id, chosen.again) and say is not None:
        say(f"run {record.job_id} is of an earlier version, which hashed no model: whether its files were altered "
            "cannot be told")
    return chosen
