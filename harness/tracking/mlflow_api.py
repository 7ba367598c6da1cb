"""The only module that imports MLflow. Import it late: MLflow takes more than a second to import."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.utils.paths import environment_variable
from harness.utils.process_environment import prepare_process

prepare_process()
for _name, _value in {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}.items():
    os.environ[_name] = environment_variable(_name) or _value

from mlflow.entities import (  # noqa: E402
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
    ViewType,
)
from mlflow.tracking import MlflowClient  # noqa: E402

__all__ = [
    "Dataset",
    "DatasetInput",
    "InputTag",
    "LoggedModel",
    "LoggedModelOutput",
    "Metric",
    "MlflowClient",
    "Param",
    "Run",
    "RunTag",
    "ViewType",
    "download",
    "save_pyfunc",
]

Ports = Sequence[tuple[str, str, Sequence[int]]]
"""(name, numpy type, shape) of arrays; -1 in a shape is any length."""

MAX_RESPONSE_BYTES = 2**28
"""Maximum size of a response that is read into memory; downloads of files are streamed and have no limit."""


def _limit_response(response: Any, **options: Any) -> None:
    """Read the body of a response; raise OSError if it is too large. A response hook for the library `requests`."""
    if options.get("stream"):
        return
    content = bytearray()
    for part in response.iter_content(2**16):
        content += part
        if len(content) > MAX_RESPONSE_BYTES:
            response.close()
            raise OSError(f"the response is larger than the limit of {MAX_RESPONSE_BYTES:,} bytes")
    response._content = bytes(content)


def _limit_responses() -> None:
    """Add `_limit_response` to MLflow's HTTP sessions; MLflow has no public setting for this."""
    from mlflow.utils import request_utils

    make_session = getattr(request_utils, "_get_request_session", None)
    if make_session is None:
        return

    def make_limited_session(*args: Any, **options: Any) -> Any:
        session = make_session(*args, **options)
        if _limit_response not in session.hooks["response"]:
            session.hooks["response"].insert(0, _limit_response)
        return session

    request_utils._get_request_session = make_limited_session


_limit_responses()
for _name in ("mlflow", "alembic", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # errors are raised, and shown without their traceback


def save_pyfunc(  # noqa: PLR0913 - as mlflow.pyfunc.save_model
    path: Path,
    model: LoggedModel,
    loader: Path,
    data: Path,
    crops: Ports,
    outputs: Ports,
    example: np.ndarray,
    requirements: Sequence[str],
    metadata: Mapping[str, Any],
) -> None:
    """Write an MLflow model that is loaded by a Python file, not by unpickling.

    Parameters
    ----------
    path : Path
        Folder to write.
    model : LoggedModel
        The logged model in MLflow that the written model belongs to.
    loader : Path
        Python file with a function `_load_pyfunc`, which is called with the copy of `data`. The file is copied into
        the model.
    data : Path
        Folder to copy into the model.
    crops, outputs : sequence of (name, numpy type, shape)
        Signature of the model.
    example : ndarray
        Input example.
    requirements : sequence of str
        Lines of requirements.txt.
    metadata : mapping
        Metadata of the model, as JSON types.
    """
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(ports: Ports, named: bool) -> Schema:
        return Schema(
            [TensorSpec(np.dtype(kind), tuple(shape), name if named else None) for name, kind, shape in ports]
        )

    mlflow.pyfunc.save_model(
        str(path),
        loader_module=loader.stem,
        data_path=str(data),
        code_paths=[str(loader)],
        mlflow_model=Model(
            artifact_path=model.artifact_location,
            run_id=model.source_run_id,
            model_id=model.model_id,
            model_uuid=model.model_id,
            metadata=dict(metadata),
        ),
        signature=ModelSignature(schema(crops, named=False), schema(outputs, named=True)),
        input_example=example,
        pip_requirements=list(requirements),
    )


def download(uri: str, folder: Path, tracking_uri: str) -> Path:
    """Download the artifacts at an MLflow URI into `folder` and return their path."""
    import mlflow.artifacts

    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), tracking_uri=tracking_uri))
