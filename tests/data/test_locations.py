from __future__ import annotations

import shutil

from harness.data import locations


def test_a_data_set_in_a_store_moves_with_it_and_another_stays_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, named = tmp_path / "store" / "artifacts" / "drawn", tmp_path / "data"
    locations.remember(tmp_path / "store", "a", drawn)
    locations.remember(tmp_path / "store", "b", named)
    assert locations.recall(tmp_path / "store", "a") == drawn
    shutil.move("store", "moved")
    for store in ("moved", tmp_path / "moved"):
        assert locations.recall(store, "a") == tmp_path / "moved" / "artifacts" / "drawn"
        assert locations.recall(store, "b") == named and locations.recall(store, "c") is None
