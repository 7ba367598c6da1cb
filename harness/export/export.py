"""`framelight export`: a run as files of one format, each checked against the run, scored and timed."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import backbones
from backbones.resizing import resize_batch
from harness.data import locations
from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.registry import open_dataset
from harness.export.calibration import training_crops
from harness.export.card import CARD, describe_file, make_card, package_versions
from harness.export.example import example_script
from harness.export.formats import Format
from harness.export.latency import measure_cost
from harness.export.network import ExportNetwork, make_network, require_images
from harness.export.parity import ParityResult, check_parity, compute_outputs, crop_paths
from harness.features.crop_margins import estimate_dataset_margin
from harness.features.store import FeatureEntry, FeatureStore
from harness.jobs import causal, job_statistics
from harness.jobs.models import load_model
from harness.leaderboard.runs import FinishedRun
from harness.tracking import export_records
from harness.tracking.export_records import ExportRecord
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.files import atomic_write, write_json, write_text
from harness.utils.output_dir import replace_output_dir
from harness.utils.progress import Progress
from harness.utils.store import Store
from harness.video.faces.detector import open_detector

logger = logging.getLogger(__name__)

EXAMPLE = "example.py"


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export; see `harness.export.api.export`.

    Attributes
    ----------
    precisions : tuple of str
        () for all precisions of the format.
    """

    form: Format
    precisions: tuple[str, ...] = ()
    embedding: bool = False
    calibration: int = 256

    def __post_init__(self) -> None:
        for name in self.precisions:
            if name not in self.form.precisions:
                raise unknown_name_error(f"precision of {self.form.name}", name, self.form.precisions)

    @property
    def ordered_precisions(self) -> tuple[str, ...]:
        return tuple(name for name in self.form.precisions if name in (self.precisions or self.form.precisions))


def export(chosen: FinishedRun, wanted: ExportOptions, data: Path | None, out: Path) -> list[ExportRecord]:
    """Write, check and time each file; `out` appears whole, over whatever was there. What is known of each file is
    written to the store.

    InputError for a run that looks at no image, data that is gone or other than it was, and what the format cannot
    hold; FramelightError where a file cannot be written or run.
    """
    network, entry = open_network(chosen)
    dataset = open_scored_dataset(chosen, entry, data)
    kept = chosen.load_predictions()
    crops = crop_paths(kept, dataset)
    calibration = resize_batch(
        training_crops(dataset, chosen.configuration.task, wanted.calibration), network.backbone.spec.preprocessing
    )
    margin = estimate_dataset_margin(entry.data_digest, open_detector("haar"), chosen.store)
    card = make_card(
        chosen,
        network,
        wanted.form,
        wanted.embedding,
        len(calibration),
        causal.load_filter(chosen.store, chosen.record.job_id),
        margin,
    )
    made = []
    with replace_output_dir(out) as folder:
        for precision in wanted.ordered_precisions:
            logger.info(f"{wanted.form.name} {precision}: writing, checking on {len(crops):,} crops, timing")
            path = wanted.form.write(network, folder, precision, calibration, wanted.embedding)
            file = describe_file(wanted.form, path, precision)
            place = (
                export_records.export_folder(chosen.store, chosen.record.job_id) / "outputs" / str(file["sha256"])[:16]
            )
            checked = check_parity(chosen, kept, dataset, _outputs(network, wanted.form, path, crops, place))
            known = _export_record(chosen, network, wanted.form, path, file, checked)
            _save_record(chosen.store, known, checked)
            card["files"].append({**file, **_measured_fields(known)})
            made.append(known)
        write_json(folder / CARD, card)
        write_text(folder / EXAMPLE, example_script(wanted.form, network.backbone.spec.preprocessing.interpolation))
    return made


def open_network(chosen: FinishedRun) -> tuple[ExportNetwork, FeatureEntry]:
    """The run's network and the entry of features that it was trained on.

    InputError where there is none, or the backbone has other weights by now.
    """
    require_images(chosen)
    store = chosen.store
    entry = FeatureStore(store.features).entry(chosen.configuration.entry)
    backbone = backbones.load(entry.backbone["reference"], store.backbones)
    if backbone.weights_hash != entry.backbone["weights_hash"]:
        raise InputError(
            f"backbone {entry.backbone['reference']} has other weights than when run "
            f"{chosen.record.group_id} was made; run its recipe again"
        )
    if entry.compute != "float32":
        logger.info(
            f"the run's features were computed in {entry.compute}, and files are written in float32: outputs differ"
        )
    model = load_model(chosen.folder, entry, chosen.configuration)
    return make_network(model, backbone, store.engines), entry


def open_scored_dataset(chosen: FinishedRun, entry: FeatureEntry, data: Path | None) -> Dataset:
    """The data set that the run was scored on; data: where it is (None: where it lay last).

    InputError where it is not there, or is not the same.
    """
    record, store = chosen.record, chosen.store
    root = data or locations.get_location(store, entry.data_digest)
    if root is None or not root.is_dir():
        raise InputError(
            f"the data set {record.dataset} that run {record.group_id} was scored on is "
            f"{'not known to this store' if root is None else f'not at {root}'}; name it: --data DIR"
        )
    dataset = open_dataset(root)
    fingerprint = DatasetFingerprint(dataset, store.digests)
    if not fingerprint.matches(record):
        raise InputError(
            f"{root} is not the data set that run {record.group_id} was scored on ({record.dataset}, or "
            "its crops or annotations were altered); name that one with --data DIR"
        )
    locations.set_location(store, fingerprint.images, root)
    return dataset


def _outputs(network: ExportNetwork, form: Format, path: Path, crops: list[Path], place: Path) -> np.ndarray:
    """What the file gives for the crops; place: where outputs of a killed check are."""
    with Progress(path.name, unit="crop") as progress:
        return compute_outputs(
            form.open(path, os.cpu_count() or 1),
            network.backbone.spec.preprocessing,
            crops,
            place,
            network.task.width,
            progress,
        )


def _export_record(
    chosen: FinishedRun, network: ExportNetwork, form: Format, path: Path, file: dict[str, Any], checked: ParityResult
) -> ExportRecord:
    record, cost = chosen.record, measure_cost(form.name, path, network.size)
    latency = {str(threads): {"median": own.median, "p95": own.p95} for threads, own in cost.latency.items()}
    return ExportRecord(
        job_id=record.job_id,
        group_id=record.group_id,
        task=record.task,
        format=form.name,
        precision=file["precision"],
        file=file["file"],
        sha256=file["sha256"],
        size=file["size"],
        parameters=network.cost.parameters,
        macs=network.cost.macs,
        device=cost.device,
        versions=package_versions(),
        latency=latency,
        memory=cost.memory,
        metric=record.metric,
        value=checked.value,
        run_value=record.metrics[record.metric],
        largest=checked.largest,
        agreement=checked.agreement,
        crops=checked.crops,
    )


def _save_record(store: Store, known: ExportRecord, checked: ParityResult) -> None:
    """The statistics first: who finds the document finds them too."""
    path = export_records.export_folder(store, known.job_id) / f"{known.format}-{known.precision}.npz"
    with atomic_write(path) as aside, open(aside, "wb") as file:
        job_statistics.save(file, checked.units, checked.statistics)
    export_records.write(store, known)


def _measured_fields(known: ExportRecord) -> dict[str, Any]:
    """What the card says of a file: how it was checked here, and what it cost here."""
    told = ("device", "latency", "memory", "metric", "value", "run_value", "largest", "agreement", "crops")
    return {name: value for name, value in asdict(known).items() if name in told}
