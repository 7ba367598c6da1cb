"""Figures kept in MLflow: one run a machine, one more point of each curve every time, so that a regression shows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from harness.bench.figure import Measurement
from harness.tracking import open_tracker
from harness.tracking.environment import environment
from harness.utils.store import Store

EXPERIMENT = "framelight-bench"


def log_measurements(figures: Sequence[Measurement], store: Store) -> int:
    """Append `<part>/value`, `<part>/ratio` and `<part>/reached` to the curves of this machine's run; gives their step.

    The run is called `bench <host>, <processor>` in the experiment EXPERIMENT; tags `commit.<step>` and `dirty.<step>`
    say what was measured at a step. Errors are those of `harness.tracking.open_tracker`.
    """
    where = environment()
    machine = f"{where['host']}, {where['processor']}, {where['cores']} cores"
    tracker = open_tracker(store, EXPERIMENT)
    run = tracker.start_study(f"bench {machine}", f"bench {machine}", tags={"framelight.kind": "bench"})
    step = tracker.append_points(
        run, metrics_by_name(figures), {"commit": str(where["git_commit"]), "dirty": str(where["git_dirty"])}
    )
    tracker.end_run(run)
    return step


def metrics_by_name(figures: Sequence[Measurement]) -> dict[str, float]:
    """Metrics by name; MLflow takes letters, digits and a few marks in names, anything else becomes a `_`."""
    found = {}
    for one in figures:
        part = re.sub(r"[^\w\-. :]", "_", one.part, flags=re.ASCII)
        values = {"value": one.value, "ratio": one.ratio, "floor": one.floor, "reached": float(one.reached)}
        found |= {
            f"{part}/{name}": float(value)
            for name, value in values.items()
            if value is not None and math.isfinite(value)
        }
    return found
