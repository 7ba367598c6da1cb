"""What stills are known by on the cards of backbones that were trained on them.

    python -m harness.stills_digest ROOT CACHE

The digest covers the labels of every split, so it is taken by a process of its own, which gives back nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.utils.errors import InputError
from harness.utils.hashing import digest
from harness.utils.parallel import run_module


def stills_digest(root: Path, cache: Path) -> str | None:
    """The `data_digest` of a card whose backbone learned expressions in `root`; None where there are no such stills.

    cache: file that remembers the digests of images.
    """
    return run_module("harness.stills_digest", root, cache).stdout.strip() or None


def _digest(root: Path, cache: Path) -> str:
    from harness.data.open_stills import open_stills

    source = open_stills(root)
    return digest([source.stills(split).digest(cache) for split in ("train", "validation")
                   if split in source.splits()], 16)


if __name__ == "__main__":
    try:
        print(_digest(Path(sys.argv[1]), Path(sys.argv[2])))
    except InputError as error:
        print(error, file=sys.stderr)
