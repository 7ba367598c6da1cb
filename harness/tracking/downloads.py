"""Download the artifacts of tracked runs, up to a size limit."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.utils.files import atomic_write

if TYPE_CHECKING:
    from harness.tracking.mlflow_api import MlflowClient

logger = logging.getLogger(__name__)

MAX_DOWNLOAD_BYTES = 64 * 2**20
"""Maximum size of a file that is downloaded; the statistics of a job take about 100 kB."""


def download_file(client: MlflowClient, run_id: str, name: str, path: Path) -> bool:
    """Download an artifact of a run.

    Parameters
    ----------
    client : MlflowClient
        Client of the location of the run.
    run_id : str
        MLflow's id of the run.
    name : str
        Path of the artifact in the run.
    path : Path
        The file to write.

    Returns
    -------
    bool
        Whether the file was downloaded; False if the artifact does not exist or is too large. If it is too large, a
        warning is logged.
    """
    sizes = {file.path: file.file_size or 0 for file in client.list_artifacts(run_id)}
    if name not in sizes or not _is_small(sizes[name], run_id, name):
        return False
    with tempfile.TemporaryDirectory() as folder:
        downloaded = Path(client.download_artifacts(run_id, name, folder))
        if not _is_small(downloaded.stat().st_size, run_id, name):
            return False
        with atomic_write(path) as tmp_path:
            shutil.copyfile(downloaded, tmp_path)
    return True


def _is_small(size: int, run_id: str, name: str) -> bool:
    """Whether a file may be downloaded; otherwise log a warning."""
    if size <= MAX_DOWNLOAD_BYTES:
        return True
    largest = f"{MAX_DOWNLOAD_BYTES / 2**20:.0f} MiB"
    logger.warning(
        f"{name} of MLflow run {run_id} is not downloaded: it has {size / 2**20:,.0f} MiB, more than {largest}"
    )
    return False
