"""The command that serves MLflow's UI for a store."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from harness.tracking.location import Location
from harness.tracking.sqlite_uri import sqlite_uri
from harness.utils.errors import InputError

HOST = "127.0.0.1"
END_SECONDS = 5
"""Seconds after SIGTERM until a server that still runs is killed."""
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Environment variables of the server. Without job execution it has two processes instead of nine."""


def ui_command(location: Location, port: int | None = None) -> tuple[list[str], str]:
    """Return the command that runs `mlflow ui` on the loopback interface.

    Parameters
    ----------
    location : Location
        The tracking location.
    port : int, optional
        Port of the UI. Default: the first free port from 5000 to 5099.

    Returns
    -------
    argv : list of str
        The command.
    url : str
        Address of the UI.

    Raises
    ------
    InputError
        If the location is a server or has no runs, if the port is out of range or in use, or if no port is free.
    """
    if location.server:
        raise InputError(f"{location.uri} is a server with its own UI; open this address in a browser")
    if location.database is not None and not location.database.exists():
        raise InputError(
            f"there are no tracked runs at {location}; create some with: framelight run quickstart "
            f"--store {location.store}"
        )
    port = _find_free_port() if port is None else _check_port(port)
    argv = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        location.uri if location.database is None else sqlite_uri(location.database, existing=True),
        "--default-artifact-root",
        str(location.artifacts),
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    return argv, f"http://{HOST}:{port}"


def serve(argv: Sequence[str]) -> int:
    """Run the server until it ends, or until a signal ends this process, and return the exit status of the server.

    The server runs in a new session, so Ctrl-C in a terminal reaches only this process, which then ends the server. The
    server itself would print tracebacks on Ctrl-C.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when the server has ended.
    SystemExit
        After SIGTERM, or after SIGHUP when the terminal is closed.
    """
    with _exit_on_signals():
        process = subprocess.Popen(argv, env={**os.environ, **ENVIRONMENT}, start_new_session=True)
        try:
            return process.wait()
        finally:
            _end(process)


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Context manager that raises SystemExit on signals that would end this process and leave the server running.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {
        number: signal.signal(number, leave)
        for number in numbers
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen) -> None:
    """End all processes of a session; kill those that still run after `END_SECONDS`."""
    if not hasattr(os, "killpg"):  # Windows
        process.terminate()
        process.wait()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check_port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise InputError(f"--port {port} is out of range; use a port from 1 to 65535")
    if not _is_free(port):
        raise InputError(f"port {port} is in use; choose another with --port, or omit --port")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return bool(probe.connect_ex((HOST, port)))


def _find_free_port() -> int:
    for port in range(5000, 5100):
        if _is_free(port):
            return port
    raise InputError("no port from 5000 to 5099 is free; choose one with --port")
