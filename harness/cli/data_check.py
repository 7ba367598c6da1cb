"""`framelight data check`."""

from __future__ import annotations

import argparse

from harness.utils.errors import InputError


def main(arguments: argparse.Namespace) -> int:
    if arguments.against is not None:
        return _submission(arguments)
    from harness.data.check import check, render
    from harness.inference.submission.file_format import NOTE

    if (arguments.folder / NOTE).is_file():
        raise InputError(f"{arguments.folder} is a submission; name what it answers with --against LIST, "
                         "a test list or its data set")
    report = check(arguments.folder)
    print(render(report))
    return 2 if report.errors else 0


def _submission(arguments: argparse.Namespace) -> int:
    from harness.inference.submission.check import check_submission, render

    report = check_submission(arguments.folder, arguments.against)
    print(render(report))
    return 2 if report.errors else 0
