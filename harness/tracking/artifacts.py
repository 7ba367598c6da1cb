"""The files of a run, where MLflow keeps them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    from harness.tracking.mlflow_api import MlflowClient, Run


def log_artifacts(client: MlflowClient, run: Run, folder: Path) -> None:
    """The files of `folder` as the run's; hard links where artifacts are local files, so that nothing is stored twice.

    A file that the run has already is replaced.
    """
    target = urlparse(run.info.artifact_uri)
    if target.scheme not in ("", "file"):
        client.log_artifacts(run.info.run_id, str(folder))
        return
    for file in (f for f in sorted(folder.rglob("*")) if f.is_file() and not f.name.endswith(".aside")):
        kept = Path(unquote(target.path)) / file.relative_to(folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        try:
            os.link(file, kept)
        except OSError:
            shutil.copy2(file, kept)
