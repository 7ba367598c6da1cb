"""The rows of the leaderboard."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class BoardRow:
    """What a row of every board has: the board it is on and the configuration it is of.

    run_id: the group id of the configuration; optimistic: whether it was chosen on the split it reports;
    flags: of `harness.tracking.records.FLAGS`; settings: those of the head; distinction: what the row has different
    from others of its board that agree in backbone, features and head, in words.
    """

    run_id: str
    task: str
    dataset: str
    data_digest: str
    split: str
    protocol: str
    optimistic: bool
    metric: str
    kind: str
    flags: list[str]
    backbone: str
    weights: str
    random_weights: bool
    features: str
    head: str
    settings: dict[str, Any]
    units: int
    unit: str
    distinction: list[str] = field(default_factory=list)

    def shared_fields(self) -> dict[str, Any]:
        """The fields above by name, to build a row of another board from."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(BoardRow)}

    def as_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}


@dataclass(kw_only=True)
class LeaderboardRow(BoardRow):
    """A row of the leaderboard; see `harness.leaderboard.rows.leaderboard_rows`."""

    kernel: str | None
    radius: float | None
    seeds: list[int]
    seeds_missing: list[int]
    value: float | None
    std: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    unsmoothed: float | None
    metrics: dict[str, float]
    undefined: list[str]
    coverage: float | None
    parameters: int
    source: str | None
    note: str | None
    rank: int | None = None
    tied_with_best: bool | None = None
    p_value: float | None = None
    untested: bool = False
    detectable: float | None = None
