"""Features of a dataset by one backbone, extracted if the store does not have them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import backbones
from backbones import BackboneInfo
from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.features.entry import FeatureEntry

logger = logging.getLogger(__name__)

MAX_CORRUPT_SHOWN = 10


def get_backbone_info(reference: str, store: Store) -> BackboneInfo:
    """Return the metadata of a backbone of the catalogue, the store or timm."""
    return backbones.get_info(reference, store.backbones, store.backbone_info)


@dataclass(frozen=True)
class ExtractionOptions:
    """How features are computed and stored.

    Attributes
    ----------
    precision : {"float16", "float32"}
        Precision of the stored features.
    compute : {"float32", "bf16", "fp16"}
        Precision of the forward passes.
    engine : str
        Name of the inference engine; "" selects the fastest.
    threads : int or None
        Number of worker threads; None for all cores.
    """

    precision: str
    compute: str = "float32"
    engine: str = ""
    threads: int | None = None


def get_or_extract_features(
    label: str, reference: str, dataset: Dataset, store: Store, options: ExtractionOptions, images: str | None = None
) -> tuple[FeatureEntry, BackboneInfo]:
    """Return the features of a dataset by one backbone; extract them if the store does not have them.

    Parameters
    ----------
    label : str
        Name of the backbone in messages.
    reference : str
        String that identifies the backbone, see `backbones.load`.
    dataset : Dataset
        The dataset.
    store : Store
        Store of the features.
    options : ExtractionOptions
        Precision, engine and threads.
    images : str, optional
        Digest of the images. Default: it is computed.

    Returns
    -------
    entry : FeatureEntry
        The complete feature entry.
    info : BackboneInfo
        Metadata of the backbone.
    """
    from harness.features.engine_choice import EngineSelector
    from harness.features.extraction import extract
    from harness.features.store import FeatureStore
    from harness.utils.progress import Progress

    feature_store = FeatureStore(store.features)
    images = images or DatasetFingerprint(dataset, store.digests).images
    info = get_backbone_info(reference, store)
    selector = EngineSelector(store.engines, options.engine, options.compute)
    warn_if_unaligned(info, dataset, label)
    if feature_store.find(info, images, options.precision, options.compute) is None:
        logger.info(f"extracting the features of {label} ({info.weights}) from {dataset.name}")
    with Progress("frames", unit="frame") as progress:
        entry = extract(dataset, info, feature_store, options.precision, progress, options.threads, images, selector)
    _warn_corrupt_images(entry)
    return entry, info


def warn_if_unaligned(info: BackboneInfo, dataset: Dataset, label: str) -> None:
    """Warn if a backbone expects aligned crops, but the dataset uses Aff-Wild2's folder of unaligned crops."""
    sequence = next((each for each in dataset.sequences.values() if each.images), None)
    align = info.spec.preprocessing.align
    if sequence is None or align == "none":
        return
    folder = sequence.images[0].parent.parent
    if folder.name == "cropped":
        logger.warning(
            f"{label} reads crops aligned by {align.replace('_', ' ')}, but those in {folder} are not aligned; align "
            "them with `framelight data crop --align`"
        )


def _warn_corrupt_images(entry: FeatureEntry) -> None:
    for fault in entry.corrupt[:MAX_CORRUPT_SHOWN]:
        logger.warning(f"{fault['image']}: {fault['reason']}; treated as a missing crop")
    if len(entry.corrupt) > MAX_CORRUPT_SHOWN:
        logger.warning(
            f"{len(entry.corrupt) - MAX_CORRUPT_SHOWN} more corrupt images, listed in {entry.path}/entry.json"
        )
