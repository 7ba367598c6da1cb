"""Rank of this process among the processes of one fit, without importing torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

TRAINER_DEFAULTS = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto"}
"""Default arguments of Lightning's Trainer."""


def is_single_process(trainer: Mapping[str, Any]) -> bool:
    """Whether Lightning's Trainer with these arguments runs in this process alone."""
    options = {**TRAINER_DEFAULTS, **trainer}
    return str(options["devices"]) == "1" and options["num_nodes"] == 1 and options["strategy"] == "auto"


def is_rank_zero(trainer: Mapping[str, Any]) -> bool:
    """Whether this process logs and writes for all processes of a fit.

    Works before a Trainer with these arguments exists: a launcher, such as Lightning's, sets environment variables with
    the rank of each process that it starts.
    """
    ranks = (os.environ.get(name) or "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))
    return is_single_process(trainer) or all(rank == "0" for rank in ranks)
