"""Answers that MLflow gives page by page."""

from __future__ import annotations

from typing import Any

PAGE = 1000


def pages(search: Any) -> list[Any]:
    """Everything `search(max_results, page_token)` finds."""
    found, token = [], None
    while True:
        page = search(max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found
