"""Keep libraries from reporting usage. Imports nothing from this package, because `harness` runs this file alone."""

from __future__ import annotations

import os
import sys

NO_TELEMETRY = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that libraries read when they are imported; the last one is for libraries that do not report
usage yet. Without these variables, ONNX Runtime's packages from version 1.29 on store a device id in the user's home
folder and report to their vendor.
"""


def disable_telemetry() -> None:
    """Set the variables that the user has not set; also stop the reports of ONNX Runtime if it is imported already."""
    for name, value in NO_TELEMETRY.items():
        if not os.environ.get(name):
            os.environ[name] = value
    runtime = sys.modules.get("onnxruntime")
    if runtime is not None and os.environ["ORT_DISABLE_TELEMETRY"] == NO_TELEMETRY["ORT_DISABLE_TELEMETRY"]:
        getattr(runtime, "disable_telemetry_events", lambda: None)()
