"""Load runs and exported models and group them into forward passes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import backbones
from backbones.engines.engine import require_engine_name
from backbones.processors import available_processors
from harness.features.crop_margins import DEFAULT_MARGIN, estimate_dataset_margin
from harness.features.store import FeatureStore
from harness.inference.forward import ExportedModelPass, ForwardPass, LoadedRun, SharedBackbonePass, StoredRun
from harness.jobs.job_folder import JobFolder
from harness.jobs.models import load_model
from harness.leaderboard.finished_run import FinishedRun, find_finished_run
from harness.leaderboard.synthetic_training import PARTS, synthetic_parts
from harness.metrics.tasks import get_task
from harness.tracking import tracked_records
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from harness.video.faces.alignment import FIVE_POINT, FivePointAlignment
from harness.video.faces.boxes import Framing, Margin
from harness.video.faces.detector_protocol import Detector

logger = logging.getLogger(__name__)

MODELS = "models:/"
EXPORTED_CROPS = 16
"""Default batch size of an exported file."""
LIVE_CROPS = 5000
"""Number of crops for which an engine is selected if the length of the input is unknown: a few minutes of one face."""


@dataclass(frozen=True)
class LoadOptions:
    """Options for loading runs.

    Attributes
    ----------
    store : Store
    seed : int or None
        Training seed of the models to load; None for each run's lowest seed.
    engine : str
        Name of an inference engine, "" to select the fastest.
    crops : int or None
        Approximate number of crops, None if unknown.
    batch : int
        Batch size, 0 for the default.
    same : bool
        Whether all runs read the same crops. If not, only runs with the same training images do.
    workers : int
        Number of threads.
    """

    store: Store
    seed: int | None = None
    engine: str = ""
    crops: int | None = None
    batch: int = 0
    same: bool = False
    workers: int = field(default_factory=available_processors)

    def __post_init__(self) -> None:
        if self.engine:  # checked here, because exported files open no engine
            require_engine_name(self.engine)


def open_runs(texts: Sequence[str], options: LoadOptions) -> list[ForwardPass]:
    """Load runs; runs with the same backbone share a forward pass if they read the same crops.

    Parameters
    ----------
    texts : sequence of str
        Each a run of the store, the folder of an export, or `models:/NAME@ALIAS`; duplicates are ignored.
    options : LoadOptions

    Raises
    ------
    InputError
        If a run or model does not exist or reads no images.
    FramelightError
        If files of a model are missing or have changed.
    """
    stored: dict[tuple[str, str, str, str], list[StoredRun]] = {}
    exported: list[ForwardPass] = []
    seen: set[str] = set()
    records = None
    for text in texts:
        if text.startswith(MODELS) or Path(text).is_dir():
            forward = _exported_pass(
                _fetch_export(text, options) if text.startswith(MODELS) else Path(text), text, options
            )
            if forward.reader.name not in seen:
                seen.add(forward.reader.name)
                exported.append(forward)
            continue
        if records is None:
            records = tracked_records(options.store)
        run = _stored_run(find_finished_run(records, text, options.seed, options.store), options.store)
        if run.reader.name not in seen:
            seen.add(run.reader.name)
            entry = run.model.entry
            key = (
                entry.backbone["reference"],
                entry.backbone["weights_hash"],
                entry.compute,
                "" if options.same else run.reader.images,
            )
            stored.setdefault(key, []).append(run)
    return [*(_shared_pass(runs, options) for runs in stored.values()), *exported]


def _stored_run(finished: FinishedRun, store: Store) -> StoredRun:
    from harness.jobs.causal import load_filter as causal

    record, configuration = finished.record, finished.configuration
    if not configuration.entry or configuration.features in ("noise", "none"):
        raise InputError(f"run {record.group_id} ({record.backbone}) reads no images; choose another run")
    entry = FeatureStore(store.features).entry(configuration.entry)
    label = f"{record.backbone}, {record.features}, {record.head}"
    identity = f"{record.job_id}, weights {entry.backbone['weights_hash']}, {_model_digest(finished.folder)}"
    reader = LoadedRun(
        record.job_id,
        label,
        get_task(configuration.task),
        finished.filter,
        identity,
        causal(store, record.job_id),
        entry.data_digest,
        synthetic=synthetic_parts(record, entry.data_digest, store),
        align=entry.backbone.get("preprocessing", {}).get("align", "none"),
    )
    return StoredRun(reader, load_model(finished.folder, entry, configuration))


def _model_digest(folder: Path) -> str:
    """Hash the files of a model; `--force` can replace them without changing the job's id."""
    import hashlib

    total = hashlib.sha256()
    for path in JobFolder(folder).model:
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def _shared_pass(runs: Sequence[StoredRun], options: LoadOptions) -> SharedBackbonePass:
    from backbones.engines.selection import open_engine, select_engine
    from harness.features.pipeline import batch_size, engine_batch_size

    entry = runs[0].model.entry
    backbone = backbones.load(entry.backbone["reference"], options.store.backbones)
    if backbone.weights_hash != entry.backbone["weights_hash"]:
        raise FramelightError(
            f"the weights of backbone {entry.backbone['reference']} have changed since run "
            f"{runs[0].reader.name}; run its recipe again"
        )
    cache, preprocessing = options.store.engines, backbone.spec.preprocessing
    default_size = options.batch or batch_size(preprocessing)
    name = options.engine or select_engine(
        backbone, cache, default_size, options.workers, options.crops or LIVE_CROPS, precision=entry.compute
    )
    size = options.batch or engine_batch_size(name, preprocessing)
    engine = open_engine(name, backbone, cache, size, entry.compute)
    return SharedBackbonePass(backbone, engine, tuple(runs), size, options.workers if engine.concurrent else 1)


def _fetch_export(text: str, options: LoadOptions) -> Path:
    from harness.export.registry.download import fetch_model

    return fetch_model(text, options.store)


def _exported_pass(folder: Path, text: str, options: LoadOptions) -> ExportedModelPass:
    from harness.export.exported_model import open_exported

    model = open_exported(folder, threads=options.workers)
    card, file = model.card, model.file
    kind = f"{card.form.name} {file.precision}"
    label = f"{card.run['backbone']}, {card.run['features']}, {card.run['head']}, {kind} of {text}"
    reader = LoadedRun(
        f"{card.run['job_id']}-{file.precision}",
        label,
        card.task,
        card.filter,
        f"{kind} {file.parts}",
        card.causal,
        margin=card.margin,
        margin_detector=card.margin_detector,
        synthetic=tuple(part for part in PARTS if part in card.run.get("synthetic", ())),
        align=card.preprocessing.align,
    )
    return ExportedModelPass(model, reader, options.batch or EXPORTED_CROPS)


def crop_framings(readers: Sequence[LoadedRun], detector: Detector, store: Store, scale: float | None) -> list[Framing]:
    """Get the framing of each run, that is, the rule for the position and size of its crops.

    It is the alignment that the run's backbone reads or, without alignment, the margin of the run's training crops. A
    margin that is unknown is replaced by the default.

    Parameters
    ----------
    readers : sequence of LoadedRun
    detector : Detector
    store : Store
    scale : float or None
        Side of a crop relative to the detected box; overrides the margin of every run whose crops are not aligned.
    """
    aligned = [reader for reader in readers if reader.align == FIVE_POINT]
    if aligned and scale is not None:
        logger.info(f"--margin does not apply to run {aligned[0].name}, which reads aligned faces")
    others = iter(_crop_margins([reader for reader in readers if reader.align != FIVE_POINT], detector, store, scale))
    return [FivePointAlignment() if reader.align == FIVE_POINT else next(others) for reader in readers]


def _crop_margins(readers: Sequence[LoadedRun], detector: Detector, store: Store, scale: float | None) -> list[Margin]:
    if scale is not None:
        return [Margin(scale)] * len(readers)
    for reader in readers:
        if reader.margin is not None and reader.margin_detector != detector.name:
            logger.info(
                f"the crop margin of {reader.name} was estimated with the detector {reader.margin_detector}, whose "
                f"boxes differ from those of {detector.name} by some percent: add --detector {reader.margin_detector}"
            )
    margins = [reader.margin or estimate_dataset_margin(reader.images, detector, store) for reader in readers]
    for reader, margin in zip(readers, margins):
        if margin is None:
            logger.info(
                f"the training crops of {reader.name} are not available, or too few faces are detected in them: "
                f"using the default crop margin of {DEFAULT_MARGIN.scale:g}; set another with --margin X"
            )
    return [margin or DEFAULT_MARGIN for margin in margins]
