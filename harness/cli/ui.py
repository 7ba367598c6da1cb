"""`framelight ui`."""

from __future__ import annotations

import argparse
import os
import sys

from harness.cli.output import print_line


def main(arguments: argparse.Namespace) -> None:
    """Replace this process by MLflow's UI."""
    from harness.tracking import locate
    from harness.tracking.ui import ENVIRONMENT, ui_command

    argv, url = ui_command(locate(arguments.store), arguments.port)
    print_line(f"MLflow UI of {arguments.store} at {url} (press Ctrl-C to stop)", sys.stderr)
    os.execvpe(argv[0], argv, {**os.environ, **ENVIRONMENT})  # noqa: S606 - no shell is needed
