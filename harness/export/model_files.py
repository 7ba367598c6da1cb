"""Write a run as model files of one format; each is checked against the run, scored and timed."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import backbones
from backbones.card import CARD
from backbones.processors import available_processors
from backbones.resizing import resize_batch
from harness.data import locations
from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.registry import open_dataset
from harness.export.calibration import training_crops
from harness.export.card import describe_file, describe_run, make_card, package_versions
from harness.export.example import example_script
from harness.export.formats import Format
from harness.export.latency import measure_cost
from harness.export.network import ExportNetwork, make_network, require_images
from harness.export.parity import CropFile, ParityResult, check_parity, compute_outputs, crop_files, scored_predictions
from harness.features.crop_margins import estimate_dataset_margin
from harness.features.entry import FeatureEntry
from harness.features.store import FeatureStore
from harness.jobs import causal, job_statistics
from harness.jobs.models import load_model
from harness.leaderboard.finished_run import FinishedRun
from harness.tracking import export_records
from harness.tracking.export_records import ExportRecord
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.files import atomic_write, write_text
from harness.utils.finished_output import request_hash, write_note
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
        """Requested precisions in the order of the format."""
        return tuple(name for name in self.form.precisions if name in (self.precisions or self.form.precisions))


def export_request(run: FinishedRun, options: ExportOptions) -> str:
    """Hash everything that the files of an export depend on: the run and the options."""
    return request_hash(
        "export",
        run=describe_run(run),
        filters=[repr(run.filter), repr(causal.load_filter(run.store, run.record.job_id))],
        format=options.form.name,
        precisions=options.ordered_precisions,
        embedding=options.embedding,
        calibration=options.calibration,
    )


def export(run: FinishedRun, options: ExportOptions, data: Path | None, out: Path) -> list[ExportRecord]:
    """Write, check and time one file per precision.

    `out` is replaced as a whole once all files are complete. A record of each file is written to the store.

    Parameters
    ----------
    run : FinishedRun
    options : ExportOptions
    data : Path or None
        Folder of the dataset that the run was scored on; None for the folder from which it was last opened.
    out : Path
        Folder of the export.

    Returns
    -------
    list of ExportRecord
        Records in the order of the precisions of the format.

    Raises
    ------
    InputError
        If the run reads no images, the dataset or the backbone's weights are missing or have changed, or the format
        cannot represent the network.
    FramelightError
        If a file cannot be written or run, or a crop cannot be read.
    """
    network, entry = open_network(run)
    dataset = open_scored_dataset(run, entry, data)
    predictions = scored_predictions(run, dataset)
    crops = crop_files(predictions, dataset)
    calibration = resize_batch(
        training_crops(dataset, run.configuration.task, options.calibration), network.backbone.spec.preprocessing
    )
    detector = open_detector("auto")
    margin = estimate_dataset_margin(entry.data_digest, detector, run.store)
    card = make_card(
        run,
        network,
        options.form,
        options.embedding,
        len(calibration),
        causal.load_filter(run.store, run.record.job_id),
        None if margin is None else {**asdict(margin), "detector": detector.name},
    )
    # still images: in "outputs", earlier versions cached the outputs of all predicted crops, not only of scored crops
    outputs = run.store.exported(run.record.job_id) / ("outputs" if dataset.temporal else "scored-outputs")
    records = []
    with replace_output_dir(out) as folder:
        for precision in options.ordered_precisions:
            logger.info(f"{options.form.name} {precision}: writing, checking on {len(crops):,} crops, timing")
            path = options.form.write(network, folder, precision, calibration, options.embedding)
            file = describe_file(options.form, path, precision)
            cache = outputs / str(file["sha256"])[:16]
            parity = check_parity(run, predictions, dataset, _outputs(network, options.form, path, crops, cache))
            record = _export_record(run, network, options.form, path, file, parity)
            _save_record(run.store, record, parity)
            card["files"].append({**file, **_measured_fields(record)})
            records.append(record)
        write_text(folder / EXAMPLE, example_script(options.form, network.backbone.spec.preprocessing.interpolation))
        write_note(folder, CARD, card, export_request(run, options))
    return records


def open_network(run: FinishedRun) -> tuple[ExportNetwork, FeatureEntry]:
    """Load a run's network, and the stored features on which its heads were trained.

    Raises
    ------
    InputError
        If the run is a baseline that reads no images, or the weights of its backbone have changed.
    """
    require_images(run)
    store = run.store
    entry = FeatureStore(store.features).entry(run.configuration.entry)
    backbone = backbones.load(entry.backbone["reference"], store.backbones)
    if backbone.weights_hash != entry.backbone["weights_hash"]:
        raise InputError(
            f"the weights of backbone {entry.backbone['reference']} have changed since run "
            f"{run.record.group_id}; run its recipe again"
        )
    if entry.compute != "float32":
        logger.info(
            f"the run's features were computed in {entry.compute} but the export computes in float32: outputs differ"
        )
    model = load_model(run.folder, entry, run.configuration)
    return make_network(model, backbone, store.engines), entry


def open_scored_dataset(run: FinishedRun, entry: FeatureEntry, data: Path | None) -> Dataset:
    """Open the dataset that the run was scored on.

    Parameters
    ----------
    run : FinishedRun
    entry : FeatureEntry
        Stored features of the run.
    data : Path or None
        Folder of the dataset; None for the folder from which it was last opened.

    Raises
    ------
    InputError
        If the dataset is missing or has changed.
    """
    record, store = run.record, run.store
    root = data or locations.get_location(store, entry.data_digest)
    if root is None or not root.exists():
        raise InputError(
            f"the dataset {record.dataset} that run {record.group_id} was scored on "
            f"{'has no location in this store' if root is None else f'is not at {root}'}; pass it with --data DIR"
        )
    dataset = open_dataset(root)
    fingerprint = DatasetFingerprint(dataset, store.digests)
    if not fingerprint.matches(record):
        raise InputError(
            f"{root} is not the dataset that run {record.group_id} was scored on ({record.dataset}), or its crops "
            "or annotations have changed; pass the original with --data DIR"
        )
    locations.set_location(store, fingerprint.images, root)
    return dataset


def _outputs(network: ExportNetwork, form: Format, path: Path, crops: list[CropFile], cache: Path) -> np.ndarray:
    """Compute the outputs of a file for the crops; outputs that an interrupted check left in `cache` are reused."""
    assert network.task is not None
    with Progress(path.name, unit="crop") as progress:
        return compute_outputs(
            form.open(path, available_processors()),
            network.backbone.spec.preprocessing,
            crops,
            cache,
            network.task.width,
            progress,
        )


def _export_record(
    run: FinishedRun, network: ExportNetwork, form: Format, path: Path, file: dict[str, Any], parity: ParityResult
) -> ExportRecord:
    record, cost = run.record, measure_cost(form.name, path, network.size)
    latency = {str(threads): {"median": call.median, "p95": call.p95} for threads, call in cost.latency.items()}
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
        value=parity.value,
        run_value=record.metrics[record.metric],
        largest=parity.largest,
        agreement=parity.agreement,
        crops=parity.crops,
    )


def _save_record(store: Store, record: ExportRecord, parity: ParityResult) -> None:
    """Write the statistics of the parity check before the record, so that no record exists without statistics."""
    path = store.exported(record.job_id) / f"{record.format}-{record.precision}.npz"
    with atomic_write(path) as tmp_path, tmp_path.open("wb") as file:
        job_statistics.save(file, parity.units, parity.statistics)
    export_records.write(store, record)


def _measured_fields(record: ExportRecord) -> dict[str, Any]:
    """Select the results of the parity check and the cost measurement for the card."""
    fields = ("device", "latency", "memory", "metric", "value", "run_value", "largest", "agreement", "crops")
    return {name: value for name, value in asdict(record).items() if name in fields}
