"""`framelight backbones import`."""

from __future__ import annotations

import argparse


def main(arguments: argparse.Namespace) -> None:
    import backbones
    from harness.cli.backbones import entries_of

    folder = backbones.import_file(arguments.file, arguments.name, entries_of(arguments.store), arguments.architecture,
                                   arguments.classes, say=print)
    print(f"\n{arguments.name} is in {folder}.\nUse it: framelight extract --backbone {arguments.name} --data DIR "
          f"--store {arguments.store}, or name it in a recipe.")
