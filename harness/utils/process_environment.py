"""Environment variables that libraries read when they are loaded; child processes inherit them.

A variable that the user has set is left as it is. A variable with an empty value counts as not set.
"""

from __future__ import annotations

import os

NO_TELEMETRY = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
"""No library reports its use to its vendor; the last one is for libraries that are yet to report."""
PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""OpenMP threads that wait give up their processor at once. By default they repeat a check up to 300,000 times (GNU) or
for 200 ms (LLVM, Intel), which takes the time of other threads where there are more of them than processors.
"""


def disable_telemetry() -> None:
    """Keep libraries that are imported later, in this process and its children, from reporting their use."""
    _set_defaults(NO_TELEMETRY)


def prepare_process() -> None:
    """Set the variables for computing in this process and its children; call it before torch is imported."""
    if not any(os.environ.get(name) for name in PASSIVE_WAITING):
        os.environ.update(PASSIVE_WAITING)


def _set_defaults(variables: dict[str, str]) -> None:
    os.environ.update({name: value for name, value in variables.items() if not os.environ.get(name)})
