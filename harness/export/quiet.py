"""Suppress the output of converters and runtimes, which print through Python's streams and from native code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.errors import printable
from harness.utils.disk_space import is_disk_full
from harness.utils.errors import FramelightError
from harness.utils.streams import open_closed_streams

if TYPE_CHECKING:
    from harness.export.network import ExportNetwork


@contextmanager
def suppress_output() -> Iterator[None]:
    """Discard everything that this process writes to standard output and error, and its warnings."""
    open_closed_streams()
    sys.stdout.flush()
    sys.stderr.flush()
    copies = {number: os.dup(number) for number in (1, 2)}
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in copies:
            os.dup2(devnull, number)
        with (
            Path(os.devnull).open("w") as quiet,
            redirect_stdout(quiet),
            redirect_stderr(quiet),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(devnull)


@contextmanager
def conversion(network: ExportNetwork, kind: str, precision: str) -> Iterator[None]:
    """Run a conversion without output and turn any error, except a full disk, into a FramelightError.

    Parameters
    ----------
    network : ExportNetwork
    kind : str
        Name of the format in error messages.
    precision : str
    """
    try:
        with suppress_output():
            yield
    except FramelightError:
        raise
    except Exception as error:  # the converters' own exceptions have no common base
        if is_disk_full(error):
            raise
        raise FramelightError(
            f"{network.backbone.label} cannot be written as {kind} in {precision} "
            f"({printable(' '.join(str(error).split()))}); choose another format or precision"
        ) from error
