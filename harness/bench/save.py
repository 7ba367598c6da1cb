"""Log measurements to MLflow: one run per machine and one point per benchmark run, so that regressions are visible."""

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
    """Append measurements to the metric curves of this machine's MLflow run and return their step.

    The curves are `<part>/value`, `<part>/ratio`, `<part>/floor` and `<part>/reached`. The run is called
    `bench <host>, <processor>, <n> cores` in the experiment EXPERIMENT; the tags `commit.<step>` and `dirty.<step>`
    record the Git commit of each step and whether files differed from it.
    For errors see `harness.tracking.open_tracker`.
    """
    values = environment()
    machine = f"{values['host']}, {values['processor']}, {values['cores']} cores"
    tracker = open_tracker(store, EXPERIMENT)
    run = tracker.start_study(f"bench {machine}", f"bench {machine}", tags={"framelight.kind": "bench"})
    step = tracker.append_points(
        run, metrics_by_name(figures), {"commit": str(values["git_commit"]), "dirty": str(values["git_dirty"])}
    )
    tracker.end_run(run)
    return step


def metrics_by_name(figures: Sequence[Measurement]) -> dict[str, float]:
    """Collect metrics by name; characters that MLflow does not accept in names are replaced by `_`."""
    metrics: dict[str, float] = {}
    for figure in figures:
        part = re.sub(r"[^\w\-. :]", "_", figure.part, flags=re.ASCII)
        values = {"value": figure.value, "ratio": figure.ratio, "floor": figure.floor, "reached": float(figure.reached)}
        metrics |= {
            f"{part}/{name}": float(value)
            for name, value in values.items()
            if value is not None and math.isfinite(value)
        }
    return metrics
