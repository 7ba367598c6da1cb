"""`framelight leaderboard`."""

from __future__ import annotations

import argparse

from harness.cli.boards import show
from harness.files import write_text
from harness.tasks import task


def main(arguments: argparse.Namespace) -> None:
    if arguments.task is not None:
        task(arguments.task)
    text = show(arguments.store, arguments.tracking_uri, task=arguments.task, format=arguments.format,
                plain=arguments.out is not None)
    if arguments.out is None:
        print(text)
    else:
        write_text(arguments.out, text + "\n")
