"""Log files as artifacts of an MLflow run."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    from harness.tracking.mlflow_api import MlflowClient, Run


def local_path(location: str) -> Path | None:
    """Return the path of an artifact location that is a local folder; None for other locations.

    MLflow unquotes plain paths in the same way as `file:` URIs.

    Examples
    --------
    >>> local_path("file:///data/100%25").as_posix(), local_path("/data/C#").as_posix(), local_path("s3://bucket")
    ('/data/100%', '/data/C#', None)
    """
    if location.startswith("file:"):
        return Path(unquote(urlparse(location).path))
    return None if re.match(r"[A-Za-z][\w+.-]+:", location) else Path(unquote(location))


def log_artifacts(client: MlflowClient, run: Run, folder: Path) -> None:
    """Log all files of a folder as artifacts of a run; existing artifacts are replaced.

    If the artifact store is a local folder, files are hard-linked if possible, so that nothing is stored twice.

    Parameters
    ----------
    client : MlflowClient
        Client of the tracking location.
    run : Run
        The run.
    folder : Path
        The folder. Its temporary files (`*.aside`) are left out if the artifact store is local.
    """
    target = local_path(run.info.artifact_uri)
    if target is None:
        client.log_artifacts(run.info.run_id, str(folder))
        return
    for file in (f for f in sorted(folder.rglob("*")) if f.is_file() and not f.name.endswith(".aside")):
        artifact = target / file.relative_to(folder)
        artifact.parent.mkdir(parents=True, exist_ok=True)
        artifact.unlink(missing_ok=True)
        try:
            os.link(file, artifact)
        except OSError:
            shutil.copyfile(file, artifact)
