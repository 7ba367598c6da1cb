"""`framelight ui`."""

from __future__ import annotations

import argparse
import sys

from harness.cli.main import INTERRUPTED
from harness.cli.output import print_line


def main(arguments: argparse.Namespace) -> int:
    """Run MLflow's UI until it is interrupted."""
    from harness.tracking import locate
    from harness.tracking.ui import serve, ui_command

    argv, url = ui_command(locate(arguments.store), arguments.port)
    print_line(f"MLflow UI of {arguments.store} at {url} (press Ctrl-C to stop)", sys.stderr)
    try:
        return serve(argv)
    except KeyboardInterrupt:
        print_line("MLflow UI stopped", sys.stderr)
        return INTERRUPTED
