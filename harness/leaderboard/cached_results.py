"""Results of intervals and tests on disk, named by a hash of all that they depend on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from harness.utils.errors import FramelightError
from harness.utils.files import write_json
from harness.utils.hashing import content_hash
from harness.utils.json_checks import Predicate, is_number, list_of, mapping_of, optional
from harness.utils.json_text import read_json
from harness.utils.store import Store

logger = logging.getLogger(__name__)

_IS_OPTIONAL_NUMBER = optional(is_number)
RESULTS: tuple[dict[str, Predicate], ...] = (
    {"low": is_number, "high": is_number, "corrected": is_number, "few_units": mapping_of(is_number)},
    dict.fromkeys(("value", "low", "high", "p", "detectable"), _IS_OPTIONAL_NUMBER),
    {"p": list_of(is_number), "detectable": list_of(_IS_OPTIONAL_NUMBER), "luck": is_number},
    {},
)
"""Checks of a cached interval, difference and board, and of a result that does not exist; others are recomputed."""
PATIENCE_S = 2.0
"""Seconds of computation after which it is logged."""


class CachedResults:
    """Results in the cache of a store, `Store.significance`.

    Parameters
    ----------
    store : Store
        The store of the runs.
    """

    def __init__(self, store: Store) -> None:
        self._folder, self._elapsed, self._reported = store.significance, 0.0, False

    def get_or_compute(self, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of a key, computed and saved if the cache has no valid one.

        Parameters
        ----------
        key : list
            All that the result depends on, as JSON values.
        compute : callable
            Computes the result: one of `RESULTS`.
        """
        path = self._folder / f"{content_hash(key, 24)}.json"
        with suppress(OSError, ValueError):
            cached = read_json(path)
            if isinstance(cached, dict) and any(_is_valid(cached, checks) for checks in RESULTS):
                return cached
        began = time.perf_counter()
        result = compute()
        self._add_elapsed(time.perf_counter() - began)
        with suppress(FramelightError):  # a read-only store gives boards too
            write_json(path, result)
        return result

    def _add_elapsed(self, seconds: float) -> None:
        self._elapsed += seconds
        if not self._reported and self._elapsed > PATIENCE_S:
            logger.info("computing confidence intervals and paired tests; results are cached in the store")
            self._reported = True


def _is_valid(result: dict[str, Any], checks: Mapping[str, Predicate]) -> bool:
    return result.keys() == checks.keys() and all(check(result[name]) for name, check in checks.items())
