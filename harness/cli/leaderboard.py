"""`framelight leaderboard`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from harness.leaderboard.board import FORMATS
from harness.leaderboard.boards import board_rows, format_causal, format_cost, format_leaderboard, format_optimism
from harness.metrics.tasks import get_task
from harness.utils.errors import InputError
from harness.utils.escaping import escape_lines
from harness.utils.files import write_text

logger = logging.getLogger(__name__)

BOARD_KINDS = ("optimism", "causal", "cost")
"""Options that show a different board instead of the leaderboard."""
BOARD_OPTIONS = {"data": "causal", "plot": "cost"}
"""For each of these options, the option of BOARD_KINDS that it needs."""


def main(arguments: argparse.Namespace) -> None:
    """Print a leaderboard, or write it to a file."""
    if arguments.task is not None:
        get_task(arguments.task)
    _warn_if_empty(arguments)
    _check_board_options(arguments)
    store, task, plain = arguments.store, arguments.task, arguments.out is not None
    form = arguments.format or _format_of(arguments.out)
    if arguments.optimism:
        text = format_optimism(store, task, form, plain)
    elif arguments.causal:
        text = format_causal(store, arguments.data, task, form, plain)
    elif arguments.cost:
        text = format_cost(store, arguments.plot, task, form, plain)
    else:
        rows = board_rows(store, task, published=arguments.published, verify_all=arguments.out is not None)
        text = format_leaderboard(rows, form, plain, with_costs=arguments.published and task is None)
    text = text if form == "json" else escape_lines(text)
    if arguments.out is None:
        print(text)
    else:
        if arguments.out.is_dir():
            raise InputError(f"--out {arguments.out} is a folder; give a file name in it")
        write_text(arguments.out, text + "\n")


def _format_of(out: Path | None) -> str:
    """Return the format that the suffix of an output file names; `table` if it names none or there is no file."""
    suffix = "" if out is None else out.suffix.lower().removeprefix(".")
    return suffix if suffix in FORMATS else "table"


def _check_board_options(arguments: argparse.Namespace) -> None:
    """Raise InputError for options that cannot be combined."""
    boards = [f"--{name}" for name in BOARD_KINDS if getattr(arguments, name)]
    if len(boards) > 1:
        raise InputError(f"{' and '.join(boards)} cannot be combined; use one of them")
    if boards and arguments.published:
        raise InputError(
            f"{boards[0]} compares tracked runs only; leave out --published, or use it in a separate command"
        )
    for option, kind in BOARD_OPTIONS.items():
        if getattr(arguments, option) is not None and not getattr(arguments, kind):
            raise InputError(f"--{option} needs --{kind}; add it")


def _warn_if_empty(arguments: argparse.Namespace) -> None:
    store = arguments.store
    store.require_folder()
    if not store.has_runs:
        logger.info(f"no runs are tracked in {store} yet; start with: framelight run quickstart --store {store}")
