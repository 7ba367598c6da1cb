"""The command that opens MLflow's own UI on a store."""

from __future__ import annotations

import socket
import sys

from harness.tracking.location import Location
from harness.utils.errors import InputError

HOST = "127.0.0.1"
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Added to the process environment: without job execution the server has two processes instead of nine."""


def ui_command(location: Location, port: int | None = None) -> tuple[list[str], str]:
    """(argv, URL) of `mlflow ui` on loopback; the first free port from 5000 up unless `port` is given.

    Raises InputError when the location is a server already, or nothing was tracked there yet.
    """
    if location.server:
        raise InputError(f"{location.uri} is a server with its own UI; open that address in a browser")
    if location.database is not None and not location.database.exists():
        raise InputError(
            f"nothing was tracked in {location.store} yet; start with: framelight run quickstart "
            f"--store {location.store}"
        )
    port = _find_free_port() if port is None else _check_port(port)
    argv = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        location.uri,
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


def _check_port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise InputError(f"port {port} does not exist; ports are 1 to 65535")
    if not _is_free(port):
        raise InputError(f"port {port} is in use; name another with --port, or leave it out")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return bool(probe.connect_ex((HOST, port)))


def _find_free_port() -> int:
    for port in range(5000, 5100):
        if _is_free(port):
            return port
    raise InputError("no free port from 5000 to 5099; name one with --port")
