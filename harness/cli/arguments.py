"""What the commands' arguments share. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.utils.store import Store


class CommandParser(argparse.ArgumentParser):
    """A parser that hands what follows certain first words to others: `backbones import`, beside `backbones NAME`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.subcommands: dict[str, argparse.ArgumentParser] = {}

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse what is known, by the parser of the first word where it has one."""
        if args and args[0] in self.subcommands:
            return self.subcommands[args[0]].parse_known_args(args[1:], namespace)
        return super().parse_known_args(args, namespace)


Commands = argparse._SubParsersAction


def add_command(commands: Commands, name: str, module: str, help: str) -> CommandParser:
    """Add a command whose function is `main` of a module of `harness.cli`, or the one after a dot."""
    command = commands.add_parser(name, help=help, description=help)
    command.set_defaults(module=module)
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return command


def add_store(command: argparse.ArgumentParser, tracking: bool = False) -> None:
    """Add `--store` and, with `tracking`, `--tracking-uri`."""
    command.add_argument(
        "--store",
        type=Path,
        default=Store.default().root,
        metavar="DIR",
        help="where results are kept (default: $FRAMELIGHT_STORE or framelight-store)",
    )
    if tracking:
        command.add_argument(
            "--tracking-uri",
            default=Store.default().tracking_uri,
            metavar="URI",
            help="an MLflow server instead of the store's own database",
        )


def add_jobs(command: argparse.ArgumentParser, what: str) -> None:
    """Add `--jobs`."""
    command.add_argument(
        "--jobs",
        type=positive_int,
        default=os.cpu_count() or 1,
        metavar="N",
        help=f"{what} (default: the number of cores)",
    )


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add `--set`."""
    command.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="change a field of the recipe, as often as needed",
    )


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text) if text.lstrip("+-").isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError("expects a whole number of at least 1")
    return value


def comma_separated(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(","))
