"""Cache of confidence intervals and test results. The name of a file is a hash of all that its result depends on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from harness.utils.errors import FramelightError
from harness.utils.files import write_json
from harness.utils.hashing import content_hash
from harness.utils.json_checks import Predicate, is_count, is_number, is_share, list_of, mapping_of, optional
from harness.utils.json_text import read_json
from harness.utils.store import Store

logger = logging.getLogger(__name__)

Checks = Mapping[str, Predicate]
"""Check of each value of a result, by name; a cached result that fails a check is computed again."""

_IS_OPTIONAL_NUMBER = optional(is_number)
INTERVAL: Checks = {"low": is_number, "high": is_number, "corrected": is_number, "few_units": mapping_of(is_number)}
RARE: Checks = {"rare": mapping_of(is_count)}
WITHOUT_RARE: Checks = {"value": is_number}
DIFFERENCE: Checks = {
    "value": is_number,
    **dict.fromkeys(("low", "high", "detectable"), _IS_OPTIONAL_NUMBER),
    "p": optional(is_share),
}
PATIENCE_S = 2.0
"""Seconds of computation after which a message is logged."""


class CachedResults:
    """Results in the cache of a store, `Store.significance`.

    Parameters
    ----------
    store : Store
        The store of the runs.
    """

    def __init__(self, store: Store) -> None:
        self._folder, self._elapsed, self._reported = store.significance, 0.0, False

    def get_or_compute(self, key: list[Any], checks: Checks, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the cached result of a key; compute and save it if the cache has no valid one.

        Parameters
        ----------
        key : list
            All that the result depends on, as JSON values.
        checks : mapping of str to callable
            Checks of the result, such as `INTERVAL`. An empty result means that nothing could be computed, and is
            always valid.
        compute : callable
            Computes the result.
        """
        path = self._folder / f"{content_hash(key, 24)}.json"
        with suppress(OSError, ValueError):
            cached = read_json(path)
            if isinstance(cached, dict) and (not cached or _is_valid(cached, checks)):
                return cached
        began = time.perf_counter()
        result = compute()
        self._add_elapsed(time.perf_counter() - began)
        with suppress(FramelightError):  # boards can also be built from a read-only store
            write_json(path, result)
        return result

    def _add_elapsed(self, seconds: float) -> None:
        self._elapsed += seconds
        if not self._reported and self._elapsed > PATIENCE_S:
            logger.info("computing confidence intervals and paired tests; results are cached in the store")
            self._reported = True


def board_checks(rows: int) -> Checks:
    """Return the checks of a result that compares `rows` rows of a board with the best row."""
    return {
        "p": lambda values: list_of(is_share)(values) and len(values) == rows,
        "detectable": lambda values: list_of(_IS_OPTIONAL_NUMBER)(values) and len(values) == rows,
        "luck": is_number,
    }


def _is_valid(result: dict[str, Any], checks: Checks) -> bool:
    return result.keys() == checks.keys() and all(check(result[name]) for name, check in checks.items())
