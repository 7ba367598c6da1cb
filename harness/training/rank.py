"""Which of the processes of one fit this is, known before torch is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

TRAINER_DEFAULTS = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto"}
"""Arguments of Lightning's Trainer where none are given."""


def is_single_process(trainer: Mapping[str, Any]) -> bool:
    """Whether these arguments of Lightning's Trainer ask for this process only."""
    chosen = {**TRAINER_DEFAULTS, **trainer}
    return str(chosen["devices"]) == "1" and chosen["num_nodes"] == 1 and chosen["strategy"] == "auto"


def is_rank_zero(trainer: Mapping[str, Any]) -> bool:
    """Whether this process is the one that speaks and writes, known before a Trainer with these arguments exists.

    Launchers, Lightning's own included, number the processes that they start in their environment.
    """
    ranks = (os.environ.get(name) or "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))
    return is_single_process(trainer) or all(rank == "0" for rank in ranks)
