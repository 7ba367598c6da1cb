"""Environment variables that libraries read when they are loaded; child processes inherit them.

A variable that the user has set is left as it is. A variable with an empty value counts as not set.
"""

from __future__ import annotations

import os

PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""OpenMP threads that wait give up their processor at once. By default they repeat a check up to 300,000 times (GNU) or
for 200 ms (LLVM, Intel), which takes the time of other threads where there are more of them than processors.
"""


def prepare_process() -> None:
    """Set the variables for computing in this process and its children; call it before torch is imported."""
    if not any(os.environ.get(name) for name in PASSIVE_WAITING):
        os.environ.update(PASSIVE_WAITING)
