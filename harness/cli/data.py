"""`framelight data make`, `framelight data crop` and `framelight data check`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from harness.cli.output import print_line, print_lines, print_text
from harness.utils.errors import InputError

logger = logging.getLogger(__name__)

SHOWN_PROBLEMS = 5
"""Maximum number of problems of one kind that are printed without --all."""


def check(arguments: argparse.Namespace) -> int:
    """Print a summary of a dataset or submission, and its problems."""
    if arguments.against is not None:
        return _check_submission_files(arguments)
    from harness.data.check import check_dataset, render
    from harness.inference.submission.file_format import NOTE

    if os.path.isfile(arguments.folder / NOTE):  # noqa: PTH113 - Path.is_file raises for names that are too long
        raise InputError(f"{arguments.folder} is a submission; pass its test list or dataset with --against LIST")
    report = check_dataset(arguments.folder)
    print_text(render(report, None if arguments.all else SHOWN_PROBLEMS))
    return 2 if report.errors else 0


def _check_submission_files(arguments: argparse.Namespace) -> int:
    from harness.inference.submission.check import check_submission, render

    report = check_submission(arguments.folder, arguments.against)
    print_text(render(report, None if arguments.all else SHOWN_PROBLEMS))
    return 2 if report.errors else 0


MAX_IDENTITIES, STILLS_PER_IDENTITY = 120, 4


def make(arguments: argparse.Namespace) -> None:
    """Render a synthetic dataset."""
    from harness.data.synthetic import make as write_dataset
    from harness.utils.progress import Progress

    with Progress("images", unit="image") as progress:
        write_dataset(
            arguments.folder,
            videos=arguments.videos,
            frames=arguments.frames,
            seed=arguments.seed,
            stills=arguments.stills,
            identities=min(MAX_IDENTITIES, arguments.stills // STILLS_PER_IDENTITY),
            workers=arguments.jobs,
            progress=progress,
        )
    print_line(
        f"{arguments.folder}: {arguments.videos} videos of {arguments.frames} frames, "
        f"{arguments.stills} stills in {arguments.folder / 'stills'}",
        file=sys.stderr,
    )


FAILED = 1
"""Exit code of `crop` if some of several videos cannot be read."""


def crop(arguments: argparse.Namespace) -> int:
    """Crop the faces of videos and print what was cropped and what was lost."""
    from harness.inference.cropping.crop import crop_videos
    from harness.inference.cropping.options import CropOptions
    from harness.inference.cropping.summary_text import summary_lines

    summary = crop_videos(
        arguments.videos,
        CropOptions(
            arguments.out,
            arguments.align,
            arguments.margin,
            arguments.size,
            arguments.detector,
            arguments.smallest,
            arguments.labels,
            arguments.jobs,
        ),
    )
    for note in summary.notes:
        logger.info(f"note: {note}")
    print_lines([*summary_lines(summary), *summary.files])
    return FAILED if summary.failed else 0
