"""Parse the command, run it, and turn errors into one message and an exit code."""

from __future__ import annotations

import argparse
import errno
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from backbones.errors import BackboneError
from harness.cli.parser import build_parser
from harness.utils.console import console_logging, wrap_message
from harness.utils.disk_space import full_disk, is_disk_full
from harness.utils.errors import FramelightError, InputError
from harness.utils.escaping import escape_lines, escape_message
from harness.utils.interrupts import Interrupts, lasting_interrupts
from harness.utils.process_environment import prepare_process
from harness.utils.store import Store
from harness.utils.streams import command_streams, discard_output, flush_output

INTERRUPTED = 130
INTERRUPTED_MESSAGE = "interrupted; finished work is saved, run the same command again to resume"


def main(argv: list[str] | None = None) -> int:
    """Run a command; return 0 for success, 1 for failure, 2 for wrong input, 130 if interrupted.

    Wrong usage raises SystemExit with code 2, as in argparse.
    """
    with command_streams(), lasting_interrupts() as interrupts:
        try:
            arguments = build_parser().parse_args(argv)
        except InputError as error:  # raised by a default value or by the parser of a path
            return _print_error(str(error), error.exit_code)
        prepare_process()
        return _run(arguments, interrupts)


def _run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    try:
        if hasattr(arguments, "store"):
            arguments.store = Store(arguments.store, getattr(arguments, "tracking_uri", None))
        module, _, function = arguments.module.partition(".")
        with console_logging():
            code = getattr(import_module(f"harness.cli.{module}"), function or "main")(arguments) or 0
        flush_output()
        return code
    except KeyboardInterrupt:
        return _print_error(INTERRUPTED_MESSAGE, INTERRUPTED)
    except BrokenPipeError:
        discard_output()
        return 0
    except Exception as error:
        if arguments.debug:
            print(escape_lines(traceback.format_exc().rstrip()), file=sys.stderr)
        if interrupts.received and not isinstance(error, (FramelightError, OSError)):
            return _print_error(INTERRUPTED_MESSAGE, INTERRUPTED)
        return _print_error(_error_message(error), _exit_code(error))


def _error_message(error: Exception) -> str:
    if isinstance(error, (FramelightError, BackboneError)):
        return str(error)
    if _is_wrong_path(error) and not isinstance(error, OSError):
        return str(error)
    where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
    if is_disk_full(error):
        return f"cannot write{where}: {'; '.join(full_disk(Path(where.strip()) if where else None))}"
    if isinstance(error, OSError):
        return f"cannot read or write{where}: {error.strerror or error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno}); "
        "this is a defect of Framelight or of a library: run again with --debug and report it"
    )


def _exit_code(error: Exception) -> int:
    return int(getattr(error, "exit_code", InputError.exit_code if _is_wrong_path(error) else 1))


def _is_wrong_path(error: Exception) -> bool:
    """Return whether the error means that a path has a symlink loop (in pathlib a RuntimeError) or is too long."""
    if isinstance(error, OSError):
        return error.errno in (errno.ELOOP, errno.ENAMETOOLONG)
    return isinstance(error, RuntimeError) and str(error).startswith("Symlink loop")


def _print_error(message: str, code: int) -> int:
    with suppress(BrokenPipeError):
        print(wrap_message(escape_message(f"framelight: {message}"), sys.stderr), file=sys.stderr)
    return code
