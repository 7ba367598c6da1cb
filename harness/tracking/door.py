"""The one door to MLflow. Imported late: MLflow takes more than a second to import. Nothing else imports it."""

from __future__ import annotations

import logging
import os

for _name, _value in {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
                      "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
                      "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
                      "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}.items():
    os.environ.setdefault(_name, _value)

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

__all__ = ["Dataset", "DatasetInput", "InputTag", "Metric", "MlflowClient", "Param", "Run", "RunTag", "ViewType"]

for _name in ("mlflow", "alembic", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.ERROR)
