"""`framelight extract`."""

from __future__ import annotations

import argparse


def main(arguments: argparse.Namespace) -> None:
    from harness.data.registry import open_dataset
    from harness.runner.preparation import get_or_extract_features

    dataset = open_dataset(arguments.data)
    entry, info = get_or_extract_features(arguments.backbone, arguments.backbone, dataset, arguments.store,
                                          arguments.precision, threads=arguments.jobs, compute=arguments.compute,
                                          engine=arguments.engine)
    print(f"{entry.path}: {sum(entry.sequences.values())} frames in {len(entry.sequences)} sequences, "
          f"{entry.widths['embeddings']} embedding and {entry.widths['scores']} score columns, {entry.dtype}; "
          f"weights: {info.weights}")
