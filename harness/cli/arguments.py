"""Helpers for the arguments of commands. Imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.utils.store import Store


class CommandParser(argparse.ArgumentParser):
    """Parser with optional subcommands: `backbones import` next to `backbones NAME`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.subcommands: dict[str, argparse.ArgumentParser] = {}

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the known arguments, with the parser of the subcommand if the first one names it."""
        if args and args[0] in self.subcommands:
            return self.subcommands[args[0]].parse_known_args(args[1:], namespace)
        return super().parse_known_args(args, namespace)


Commands = argparse._SubParsersAction


def add_command(commands: Commands, name: str, module: str, help: str) -> CommandParser:
    """Add a command that calls `main` of a module of `harness.cli`, or the function that is named after a dot."""
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
        help="folder of the results (default: $FRAMELIGHT_STORE or framelight-store)",
    )
    if tracking:
        command.add_argument(
            "--tracking-uri",
            default=Store.default().tracking_uri,
            metavar="URI",
            help="MLflow server to use instead of the database in the store",
        )


def add_jobs(command: argparse.ArgumentParser, what: str) -> None:
    """Add `--jobs`."""
    command.add_argument(
        "--jobs",
        type=positive_int,
        default=os.cpu_count() or 1,
        metavar="N",
        help=f"{what} (default: number of CPU cores)",
    )


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add `--set`."""
    command.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="set a field of the recipe; can be repeated",
    )


def positive_int(text: str) -> int:
    """Parse an integer of at least 1."""
    value = int(text) if text.lstrip("+-").isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError("expects an integer of at least 1")
    return value


def comma_separated(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(","))
