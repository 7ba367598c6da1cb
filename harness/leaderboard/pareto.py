"""Which of several offers no other one beats."""

from __future__ import annotations

from collections.abc import Sequence


def front(offers: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (value, cost), whether none of the others has as high a value for as low a cost, one of them better.

    Equal offers are on the front together.
    """
    best: float | None = None
    ahead = [False] * len(offers)
    order = sorted(range(len(offers)), key=lambda i: (offers[i][1], -offers[i][0]))
    for place, i in enumerate(order):
        same = place > 0 and offers[order[place - 1]] == offers[i]
        if same:
            ahead[i] = ahead[order[place - 1]]
        elif best is None or offers[i][0] > best:
            ahead[i], best = True, offers[i][0]
    return ahead
