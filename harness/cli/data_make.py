"""`framelight data make`."""

from __future__ import annotations

import argparse
import sys

MOST_IDENTITIES, STILLS_EACH = 120, 4

def main(arguments: argparse.Namespace) -> None:
    from harness.data.synthetic import make
    from harness.utils.progress import Progress

    with Progress("images", unit="image") as progress:
        make(arguments.folder, videos=arguments.videos, frames=arguments.frames, seed=arguments.seed,
             stills=arguments.stills, identities=min(MOST_IDENTITIES, arguments.stills // STILLS_EACH),
             workers=arguments.jobs, progress=progress)
    print(f"wrote {arguments.folder}: {arguments.videos} videos of {arguments.frames} frames, "
          f"{arguments.stills} stills in {arguments.folder / 'stills'}", file=sys.stderr)
