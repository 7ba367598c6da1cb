"""The command line: `framelight`."""

from harness.cli.main import main

__all__ = ["main"]
