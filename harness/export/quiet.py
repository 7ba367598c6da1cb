"""Converters and runtimes of phones talk of their own insides, through Python's streams and past them."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from backbones.errors import printable
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.export.network import ExportNetwork


@contextmanager
def suppress_output() -> Iterator[None]:
    """Nothing that this process writes to its standard output or error in the meantime is seen; errors still raise."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in kept:
            os.dup2(nowhere, number)
        with open(os.devnull, "w") as quiet, redirect_stdout(quiet), redirect_stderr(quiet), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


@contextmanager
def conversion(network: ExportNetwork, kind: str, precision: str) -> Iterator[None]:
    """A conversion, hushed: whatever a converter raises is a FramelightError that names network, kind and precision."""
    try:
        with suppress_output():
            yield
    except FramelightError:
        raise
    except Exception as error:  # the converters' own exceptions have no common base
        raise FramelightError(
            f"{network.backbone.label} cannot be written as {kind} in {precision} "
            f"({printable(' '.join(str(error).split()))}); take another format or precision"
        ) from error
