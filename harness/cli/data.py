"""`framelight data make` and `framelight data check`."""

from __future__ import annotations

import argparse
import sys

from harness.utils.errors import InputError


def check(arguments: argparse.Namespace) -> int:
    if arguments.against is not None:
        return _submission(arguments)
    from harness.data.check import check as check_dataset
    from harness.data.check import render
    from harness.inference.submission.file_format import NOTE

    if (arguments.folder / NOTE).is_file():
        raise InputError(f"{arguments.folder} is a submission; name what it answers with --against LIST, "
                         "a test list or its data set")
    report = check_dataset(arguments.folder)
    print(render(report))
    return 2 if report.errors else 0


def _submission(arguments: argparse.Namespace) -> int:
    from harness.inference.submission.check import check_submission, render

    report = check_submission(arguments.folder, arguments.against)
    print(render(report))
    return 2 if report.errors else 0


MOST_IDENTITIES, STILLS_EACH = 120, 4

def make(arguments: argparse.Namespace) -> None:
    from harness.data.synthetic import make as write_dataset
    from harness.utils.progress import Progress

    with Progress("images", unit="image") as progress:
        write_dataset(arguments.folder, videos=arguments.videos, frames=arguments.frames, seed=arguments.seed,
             stills=arguments.stills, identities=min(MOST_IDENTITIES, arguments.stills // STILLS_EACH),
             workers=arguments.jobs, progress=progress)
    print(f"wrote {arguments.folder}: {arguments.videos} videos of {arguments.frames} frames, "
          f"{arguments.stills} stills in {arguments.folder / 'stills'}", file=sys.stderr)
