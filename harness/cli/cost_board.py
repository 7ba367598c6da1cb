"""Accuracy and cost of exported files beside each other, for `framelight leaderboard --cost`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.evidence import Evidence
from harness.features.store import FeatureStore
from harness.leaderboard import cost, render_cost
from harness.leaderboard.cost import name
from harness.leaderboard.rows import grouped
from harness.tracking import statistics_elsewhere, tracked_records
from harness.tracking.export_records import Exported, exports, folder
from harness.tracking.records import Record
from harness.utils.console import say
from harness.utils.errors import FramelightError, InputError


def show_cost(store: Path, tracking_uri: str | None, plot: Path | None, task: str | None, format: str,
              width: int) -> str:
    """The boards with what exported files cost; plot: where to draw them."""
    if plot is not None and plot.is_dir():
        raise InputError(f"--plot {plot} is a folder; name a file in it, such as cost.png")
    records, exported = tracked_records(store, tracking_uri), list(exports(store))
    evidence = Evidence(store, statistics_elsewhere(store, tracking_uri), say, places=statistics(store, exported))
    listed = cost(records, exported, _macs(store, grouped(records, task)), task, evidence)
    if plot is not None:
        _draw(plot, listed)
    if not listed and format in ("table", "md"):
        return f"no run in {store} yet; start with: framelight run quickstart --store {store}"
    return render_cost(listed, format, width).rstrip("\n")


def statistics(store: Path, exported: Iterable[Exported]) -> Mapping[str, Path]:
    """Where the statistics of exported files' own scores lie, by the name that evidence asks for them with."""
    return {name(one): folder(store, one.job_id) / f"{one.format}-{one.precision}.npz" for one in exported}


def _draw(plot: Path, listed: list[dict]) -> None:
    from harness.leaderboard.cost_plot import draw_cost

    if not any(row["value"] is not None and row["latency_1"] is not None for row in listed):
        raise InputError("nothing to draw: no exported file of these runs was scored and measured yet; "
                         "framelight export RUN --format onnx --out DIR does both")
    draw_cost(plot, listed)
    say(f"drawn: {plot}")


def _macs(store: Path, groups: Iterable[list[Record]]) -> dict[str, int | None]:
    """MACs of each run's backbone, by run id, as far as they are known."""
    kept, known = FeatureStore(store / "features"), dict[str, int | None]()
    found = {}
    for group in groups:
        entry = group[0].config.get("entry")
        if entry and group[0].kind == "run":
            if entry not in known:
                known[entry] = _of_backbone(kept, entry, store)
            found[group[0].group_id] = known[entry]
    return found


def _of_backbone(kept: FeatureStore, entry: str, store: Path) -> int | None:
    import backbones
    from harness.runner.backbone_training import checkpoints

    try:
        reference = kept.entry(entry).backbone["reference"]
        named = reference.partition("@")[0]
        return backbones.describe(named, checkpoints(store), store / "features" / "backbones.json")["macs"]
    except (FramelightError, backbones.BackboneError, KeyError):
        return None
