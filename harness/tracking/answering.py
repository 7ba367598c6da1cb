"""Whether an MLflow server answers, and what a failure says in a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.tracking.door import MlflowClient

HASTY = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def why_silent(client: MlflowClient) -> str:
    """'' when the server answers within 5 s, else why not."""
    before = {name: os.environ.get(name) for name in HASTY}
    os.environ.update(HASTY)
    try:
        client.search_experiments(max_results=1)
        return ""
    except Exception as error:  # MLflow, requests and urllib3 each have their own
        return brief(error)
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def brief(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
