"""The runs that a command names, opened: each forward pass once, with every run that reads it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.features.crop_margins import estimate_dataset_margin
from harness.inference.forward import ExportedModelPass, ForwardPass, LoadedRun, SharedBackbonePass, StoredRun
from harness.jobs.job_folder import JobFolder
from harness.jobs.models import load_model
from harness.leaderboard.runs import find_finished_run
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.inference.forward import LoadedRun
    from harness.leaderboard.runs import FinishedRun
    from harness.video.faces.boxes import Margin
    from harness.video.faces.detector import Detector

logger = logging.getLogger(__name__)

MODELS = "models:/"
EXPORTED_CROPS = 16
"""Crops of a batch through an exported file."""
LIVE_CROPS = 5000
"""Crops that an engine is chosen for where nobody knows how many will come: some minutes of one face."""


@dataclass(frozen=True)
class LoadOptions:
    """How runs are opened. seed: which of a run (None: its first); engine: the name of one, "" for the soonest;
    crops: about how many will be read, None where nobody knows; batch: crops at once, 0 for what is usual; same: all
    runs read the same crops, whatever they learned from.
    """

    store: Store
    seed: int | None = None
    engine: str = ""
    crops: int | None = None
    batch: int = 0
    same: bool = False
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)


def open_runs(texts: Sequence[str], how: LoadOptions) -> list[ForwardPass]:
    """Every RUN: of the store, the folder of an export, or `models:/NAME@ALIAS`; each named once.

    Runs on one backbone share a pass, if they learned from the crops of one data set, or read the same ones here.
    InputError for what cannot be read so, FramelightError for a model whose files are gone or altered; they say what
    to do.
    """
    kept: dict[tuple[str, str, str, str], list[StoredRun]] = {}
    exported: list[ForwardPass] = []
    seen: set[str] = set()
    records = None
    for text in texts:
        if text.startswith(MODELS) or Path(text).is_dir():
            one = _exported_pass(_fetch_export(text, how) if text.startswith(MODELS) else Path(text), text, how)
            if one.reader.name not in seen:
                seen.add(one.reader.name)
                exported.append(one)
            continue
        if records is None:
            from harness.tracking import tracked_records

            records = tracked_records(how.store)
        run = _stored_run(find_finished_run(records, text, how.seed, how.store), how.store)
        if run.reader.name not in seen:
            seen.add(run.reader.name)
            entry = run.model.entry
            key = (
                entry.backbone["reference"],
                entry.backbone["weights_hash"],
                entry.compute,
                "" if how.same else run.reader.images,
            )
            kept.setdefault(key, []).append(run)
    return [*(_shared_pass(runs, how) for runs in kept.values()), *exported]


def _stored_run(chosen: FinishedRun, store: Store) -> StoredRun:
    from harness.features.store import FeatureStore
    from harness.jobs.causal import load_filter as causal
    from harness.metrics.tasks import get_task

    record, configuration = chosen.record, chosen.configuration
    if not configuration.entry or configuration.features in ("noise", "none"):
        raise InputError(f"run {record.group_id} ({record.backbone}) looks at no image; take another run")
    entry = FeatureStore(store.features).entry(configuration.entry)
    label = f"{record.backbone}, {record.features}, {record.head}"
    identity = f"{record.job_id}, weights {entry.backbone['weights_hash']}, {_model_digest(chosen.folder)}"
    reader = LoadedRun(
        record.job_id,
        label,
        get_task(configuration.task),
        chosen.filter,
        identity,
        causal(store, record.job_id),
        entry.data_digest,
    )
    return StoredRun(reader, load_model(chosen.folder, entry, configuration))


def _model_digest(folder: Path) -> str:
    """Digest of a model's own files: runs are made again in place with --force."""
    import hashlib

    total = hashlib.sha256()
    for path in JobFolder(folder).model:
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def _shared_pass(runs: Sequence[StoredRun], how: LoadOptions) -> SharedBackbonePass:
    import backbones
    from backbones.engines.selection import open_engine, select_engine
    from harness.features.pipeline import batch_size, engine_batch_size

    entry = runs[0].model.entry
    backbone = backbones.load(entry.backbone["reference"], how.store.backbones)
    if backbone.weights_hash != entry.backbone["weights_hash"]:
        raise FramelightError(
            f"backbone {entry.backbone['reference']} has other weights than when run "
            f"{runs[0].reader.name} was made; run its recipe again"
        )
    cache, preprocessing = how.store.engines, backbone.spec.preprocessing
    usual = how.batch or batch_size(preprocessing)
    name = how.engine or select_engine(
        backbone, cache, usual, how.workers, how.crops or LIVE_CROPS, precision=entry.compute
    )
    size = how.batch or engine_batch_size(name, preprocessing)
    engine = open_engine(name, backbone, cache, size, entry.compute)
    return SharedBackbonePass(backbone, engine, tuple(runs), size, how.workers if engine.concurrent else 1)


def _fetch_export(text: str, how: LoadOptions) -> Path:
    from harness.export.registry.download import fetch_model

    return fetch_model(text, how.store)


def _exported_pass(folder: Path, text: str, how: LoadOptions) -> ExportedModelPass:
    from harness.export.exported_model import open_exported

    model = open_exported(folder, threads=how.workers)
    card, file = model.card, model.file
    own = f"{card.form.name} {file.precision}"
    label = f"{card.run['backbone']}, {card.run['features']}, {card.run['head']}, {own} of {text}"
    reader = LoadedRun(
        f"{card.run['job_id']}-{file.precision}",
        label,
        card.task,
        card.filter,
        f"{own} {file.parts}",
        card.causal,
        margin=card.margin,
    )
    return ExportedModelPass(model, reader, how.batch or EXPORTED_CROPS)


def crop_margins(readers: Sequence[LoadedRun], detector: Detector, store: Store, given: float | None) -> list[Margin]:
    """For each reader the margin of the crops it learned from, the default one where that is not known.

    given: side of a crop in sides of the found box, for all of them.
    """
    from harness.features.crop_margins import DEFAULT_MARGIN
    from harness.video.faces.boxes import Margin

    if given is not None:
        return [Margin(given)] * len(readers)
    found = [reader.margin or estimate_dataset_margin(reader.images, detector, store) for reader in readers]
    for reader, margin in zip(readers, found):
        if margin is None:
            logger.info(
                f"the crops that {reader.name} learned from are not here, or few faces are found in them: "
                f"crops are cut with the default margin of {DEFAULT_MARGIN.scale:g}; --margin X sets another"
            )
    return [margin or DEFAULT_MARGIN for margin in found]
