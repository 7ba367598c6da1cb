"""`framelight extract`."""

from __future__ import annotations

import argparse
import logging

from harness.cli.output import print_line

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> None:
    """Extract features and print their location."""
    from harness.data.registry import open_dataset
    from harness.runner.feature_preparation import ExtractionOptions, get_or_extract_features

    dataset = open_dataset(arguments.data)
    for notice in dataset.notices():
        logger.warning(notice)
    options = ExtractionOptions(arguments.precision, arguments.compute, arguments.engine, arguments.jobs)
    entry, info = get_or_extract_features(arguments.backbone, arguments.backbone, dataset, arguments.store, options)
    print_line(
        f"{entry.path}: {sum(entry.sequences.values())} frames in {len(entry.sequences)} sequences, "
        f"{entry.widths['embeddings']} embedding and {entry.widths['scores']} score columns, {entry.dtype}; "
        f"weights: {info.weights}"
    )
