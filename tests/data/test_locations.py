from __future__ import annotations

import shutil

from harness.data import locations
from harness.utils.store import Store


def test_data_set_inside_store_moves_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, named = tmp_path / "store" / "artifacts" / "drawn", tmp_path / "data"
    locations.set_location(Store(tmp_path / "store"), "a", drawn)
    locations.set_location(Store(tmp_path / "store"), "b", named)
    assert locations.get_location(Store(tmp_path / "store"), "a") == drawn
    shutil.move("store", "moved")
    for store in ("moved", tmp_path / "moved"):
        assert locations.get_location(Store(store), "a") == tmp_path / "moved" / "artifacts" / "drawn"
        assert locations.get_location(Store(store), "b") == named and locations.get_location(Store(store), "c") is None
