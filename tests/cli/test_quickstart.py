"""The quickstart recipe as a new user runs it."""

import json
import time

import pytest

from tests.helpers import small_run

LIMIT_S, AGAIN_S = 360, 30


@pytest.mark.slow
def test_quickstart_beats_baselines_within_time_limit(tmp_path):
    began = time.monotonic()
    first = small_run.framelight("run", "quickstart", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert time.monotonic() - began < LIMIT_S
    began = time.monotonic()
    assert small_run.framelight("run", "quickstart", cwd=tmp_path).stdout == first.stdout
    assert time.monotonic() - began < AGAIN_S
    rows = json.loads(small_run.framelight("leaderboard", "--format", "json", cwd=tmp_path).stdout)
    for task, margin in (("expr", 0.15), ("va", 0.15), ("au", 0.1), ("mtl", 0.3)):
        board = [row for row in rows if row["task"] == task]
        best = max(row["value"] for row in board if row["kind"] == "run")
        blind = [row for row in board if row["kind"] == "baseline" and row["features"] in ("none", "noise")]
        assert len(blind) == 2 and best > margin + max(row["value"] for row in blind)
        assert [row["rank"] for row in board if row["oracle"]] == [None]
    winner = next(row for row in rows if row["task"] == "expr" and row["kind"] == "run")
    record = json.loads(
        (tmp_path / "framelight-store/artifacts/jobs" / f"{winner['run_id']}-s0/record.json").read_text()
    )
    curve = record["curve"]["mean"]["reported"]
    assert len(curve) == 51 and max(curve) > curve[0] and curve.index(max(curve)) > 0
    expr = [row for row in rows if row["task"] == "expr" and row["kind"] == "run"]
    assert len({row["backbone"] for row in expr}) >= 2 and len({row["head"] for row in expr}) == 2
    assert {row["features"] for row in expr} == {"embeddings", "scores", "embeddings+scores"}
