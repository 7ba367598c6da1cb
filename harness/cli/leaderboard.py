"""`framelight leaderboard`."""

from __future__ import annotations

import argparse

from harness.cli.boards import show, show_optimism
from harness.cli.saying import say
from harness.errors import InputError
from harness.files import write_text
from harness.tasks import task


def main(arguments: argparse.Namespace) -> None:
    if arguments.task is not None:
        task(arguments.task)
    _look_at(arguments)
    if arguments.optimism and arguments.published:
        raise InputError("--optimism compares your own runs; leave --published out, or ask for it in a second command")
    if arguments.optimism and arguments.interval != "studentized":
        raise InputError(f"--optimism shows differences, whose intervals are studentized; leave --interval "
                         f"{arguments.interval} out")
    asked = {"task": arguments.task, "format": arguments.format, "plain": arguments.out is not None}
    text = show_optimism(arguments.store, arguments.tracking_uri, **asked) if arguments.optimism else \
        show(arguments.store, arguments.tracking_uri, published=arguments.published, interval=arguments.interval,
             **asked)
    if arguments.out is None:
        print(text)
    else:
        if arguments.out.is_dir():
            raise InputError(f"--out {arguments.out} is a folder; name a file in it")
        write_text(arguments.out, text + "\n")


def _look_at(arguments: argparse.Namespace) -> None:
    store = arguments.store
    if store.exists() and not store.is_dir():
        raise InputError(f"--store {store} is a file; a store is a folder")
    if not arguments.tracking_uri and not (store / "mlflow.db").is_file():
        say(f"nothing was tracked in {store} yet; start with: framelight run quickstart --store {store}")
