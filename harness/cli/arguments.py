"""Arguments that several commands share. Imports nothing heavy, so that --help is fast."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from backbones.errors import did_you_mean
from backbones.processors import available_processors
from harness.utils.console import wrap_message
from harness.utils.escaping import escape_message
from harness.utils.paths import expand_home
from harness.utils.store import Store


class HelpFormatter(argparse.HelpFormatter):
    """Formatter of help that does not break lines at hyphens and keeps the line breaks of descriptions."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = []
        for line in text.splitlines():
            margin = indent + line[: len(line) - len(line.lstrip())]
            lines.append(
                textwrap.fill(
                    line.strip(), width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
                )
            )
        return "\n".join(lines)


Commands = argparse._SubParsersAction


class CommandParser(argparse.ArgumentParser):
    """Parser with optional subcommands, such as `backbones import` next to `backbones NAME`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": HelpFormatter, **options})
        self.subcommands: dict[str, argparse.ArgumentParser] = {}

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the arguments of a command; exit if an argument is unknown.

        If the first word names a subcommand, the parser of that subcommand parses the other words.
        """
        args = sys.argv[1:] if args is None else args
        if args and args[0] in self.subcommands:
            return self.subcommands[args[0]].parse_known_args(args[1:], namespace)
        self._check_options(args)
        parsed, others = super().parse_known_args(args, namespace)
        if others:
            hint = did_you_mean(args[0] if args else "", self.subcommands, most=1, prefix=f"{self.prog} ")
            self.error(f"unrecognized arguments: {' '.join(others)}" + (f"; {hint}" if hint else ""))
        return parsed, others

    def _check_options(self, words: Sequence[str]) -> None:
        """Exit at an unknown option and suggest a similar one; skip options that follow the name of a subcommand."""
        has_commands = any(isinstance(action, Commands) for action in self._actions)
        options = [option for action in self._actions for option in action.option_strings]
        for word in takewhile(lambda word: word != "--", words):
            name = word.partition("=")[0]
            if not name.startswith("--"):
                if has_commands:
                    return
            elif not any(option.startswith(name) for option in options):
                hint = did_you_mean(name.strip("-"), (option.strip("-") for option in options), most=1, prefix="--")
                self.error(f"unknown option {name}; {hint or f'{self.prog} --help lists the options'}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a choice; the error suggests similar choices. Python 3.14 does so too, but not by default."""
        if action.choices is not None and value not in action.choices:
            choices = list(map(str, action.choices))
            hint = did_you_mean(str(value), choices, most=2)
            listing = f"; {hint}" if hint else f" (choose from {', '.join(choices)})"
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{listing}")

    def error(self, message: str) -> NoReturn:
        """Print the usage and a message, wrapped for the terminal, and exit with status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, wrap_message(escape_message(f"{self.prog}: error: {message}"), sys.stderr) + "\n")


def add_command(
    commands: Commands, name: str, help: str, parents: Sequence[argparse.ArgumentParser] = (), function: str = ""
) -> CommandParser:
    """Add a command. By default, it runs `main` of the module in `harness.cli` that is named after the command.

    Parameters
    ----------
    commands : Commands
        The commands of a parser.
    name : str
        Name of the command.
    help : str
        What the command does, in plain text.
    parents : sequence of ArgumentParser, default=()
        Parsers of arguments that the command shares with other commands, see `shared_arguments`.
    function : str, default=""
        `MODULE.FUNCTION` in `harness.cli` to run instead.

    Returns
    -------
    CommandParser
        The parser of the command.
    """
    # argparse replaces %-codes in the help of a command, but not in its description
    command = commands.add_parser(name, help=help.replace("%", "%%"), description=help, parents=[*parents, debug()])
    command.set_defaults(module=function or name.replace("-", "_"))
    return command


def shared_arguments(title: str | None = None) -> tuple[argparse.ArgumentParser, argparse._ActionsContainer]:
    """Make a parser that can be one of the `parents` of commands; see `add_command`.

    Parameters
    ----------
    title : str, optional
        Heading of its arguments in the help of a command. Default: they are listed with the arguments of the command.

    Returns
    -------
    parser : ArgumentParser
        The parser.
    arguments : ArgumentParser or argument group
        Object to add the arguments to.
    """
    parser = argparse.ArgumentParser(add_help=False)
    return parser, parser.add_argument_group(title) if title else parser


def debug() -> argparse.ArgumentParser:
    """Make a parent parser with `--debug`, which all commands have."""
    parser, arguments = shared_arguments()
    arguments.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def store(tracking: bool = False) -> argparse.ArgumentParser:
    """Make a parent parser with `--store` and, if `tracking`, with `--tracking-uri`."""
    parser, arguments = shared_arguments("store")
    arguments.add_argument(
        "--store",
        type=path,
        default=Store.default().root,
        metavar="DIR",
        help="folder of all results (default: $FRAMELIGHT_STORE or framelight-store)",
    )
    if tracking:
        arguments.add_argument(
            "--tracking-uri",
            default=Store.default().tracking_uri,
            metavar="URI",
            help="an MLflow server instead of the database of the store",
        )
    return parser


def settings() -> argparse.ArgumentParser:
    """Make a parent parser with `--set`."""
    parser, arguments = shared_arguments()
    arguments.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="change a field of the recipe; may be repeated",
    )
    return parser


def jobs(what: str) -> argparse.ArgumentParser:
    """Make a parent parser with `--jobs`, the number of `what`."""
    parser, arguments = shared_arguments()
    arguments.add_argument(
        "--jobs",
        type=positive_int,
        default=available_processors(),
        metavar="N",
        help=f"number of {what} (default: the number of available cores)",
    )
    return parser


def path(text: str) -> Path:
    """Parse a path and expand `~`, which a shell does not expand in `--store=~/results`."""
    if not text:
        raise argparse.ArgumentTypeError("expects a path; the text is empty")
    return expand_home(text)


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text) if text.lstrip("+-").isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError("expects a whole number of at least 1")
    return value


def comma_separated(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(","))
