"""Parser of the command line. Imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from harness.cli import experiment_arguments, result_arguments
from harness.cli.arguments import CommandParser

DESCRIPTION = (
    "Benchmark harness for frame-level facial affect analysis: compares backbones, features, heads and smoothing by "
    "accuracy and cost."
)
EXAMPLES = """\
examples:
  framelight run quickstart
      synthetic faces, no download; ends with a leaderboard
  framelight run abaw3_expr --data DIR
      your videos in the ABAW3 layout
  framelight run abaw3_va --data DIR --set seeds=0,1,2
      three trainings of each configuration
  framelight train-backbone light_both
      a small backbone; add --data DIR for your own faces
  framelight show best:expr
      everything about the best run
  framelight leaderboard --format csv --out results.csv
      all boards as a file
"""


ADD_COMMANDS = (
    experiment_arguments.add_run,
    experiment_arguments.add_recipes,
    experiment_arguments.add_train_backbone,
    result_arguments.add_leaderboard,
    result_arguments.add_show,
    result_arguments.add_compare,
    result_arguments.add_submit,
    result_arguments.add_predict,
    result_arguments.add_export,
    experiment_arguments.add_data,
    experiment_arguments.add_backbones,
    experiment_arguments.add_extract,
    experiment_arguments.add_ui,
    experiment_arguments.add_bench,
    experiment_arguments.add_completion,
)
"""Functions that add the commands, in the order of `framelight --help`."""


class VersionAction(argparse.Action):
    """Print the version and exit; the version is looked up only when needed."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the version."""
        from importlib.metadata import version

        print(f"framelight {version('framelight')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of `framelight` with all its commands."""
    top = CommandParser("framelight", description=DESCRIPTION, epilog=EXAMPLES)
    top.add_argument("--version", action=VersionAction, nargs=0, help="print the version")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in ADD_COMMANDS:
        add(commands)
    return top


parser = build_parser
"""Old name of `build_parser`, for compatibility."""
