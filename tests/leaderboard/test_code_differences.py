"""Rows and runs that were made by other code are marked; ids do not depend on code."""

import json

from harness.leaderboard.code_differences import differing_code
from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.tracking.code_identity import describe_code
from tests.helpers.records import record

CODE = {
    "version": "0.2.0",
    "commit": "c" * 40,
    "dirty": False,
    "harness": "h" * 12,
    "backbones": "b" * 12,
    "recipe": "r" * 12,
    "recipe_runs_code": False,
}
PATCHED = {**CODE, "recipe": "p" * 12, "recipe_runs_code": True}


def rows(*codes, **changes):
    records = [record(group=f"{i:012}", value=0.5 - i / 100, code=code, **changes) for i, code in enumerate(codes)]
    return leaderboard_rows(records)


def flagged(board):
    return [row.run_id for row in board if "other_code" in row.flags]


def test_the_row_of_a_recipe_that_runs_code_is_marked_and_explained():
    board = rows(CODE, CODE, PATCHED)
    assert flagged(board) == ["000000000002"]
    text = render(board)
    assert "3 c" in text and "c: made by other code than most rows of its board" in text
    [first, _, patched] = json.loads(render(board, "json"))
    assert patched["flags"] == ["other_code"] and patched["code"] != first["code"] and not first["flags"]


def test_recipes_that_only_describe_are_the_same_code():
    assert flagged(rows(CODE, {**CODE, "recipe": "x" * 12})) == []


def test_other_sources_of_the_packages_are_other_code():
    for name in ("harness", "backbones"):
        assert flagged(rows(CODE, {**CODE, name: "x" * 12}, CODE)) == ["000000000001"]


def test_of_two_codes_with_equally_many_rows_the_best_rows_is_common():
    assert flagged(rows(PATCHED, CODE)) == ["000000000001"]


def test_a_commit_or_version_alone_is_no_other_code():
    assert flagged(rows(CODE, {**CODE, "commit": None, "dirty": None, "version": "0.3.0"})) == []


def test_runs_of_earlier_versions_are_not_marked():
    board = rows({}, CODE, PATCHED, CODE)
    assert flagged(board) == ["000000000002"] and board[0].code is None


def test_seeds_made_by_different_code_are_marked():
    records = [record(seed=seed, expected_seeds=(0, 1), code=code) for seed, code in enumerate((CODE, PATCHED))]
    [row] = leaderboard_rows(records)
    assert row.code == "mixed" and "other_code" in row.flags


def test_boards_are_compared_each_for_itself():
    assert flagged(rows(CODE, CODE) + rows(PATCHED, task="va", metric="P_VA", metrics={"P_VA": 0.1})) == []


def test_the_parts_in_which_two_runs_differ_are_named():
    first, second = [record(code=CODE)], [record(code={**PATCHED, "backbones": "x" * 12})]
    assert differing_code(first, second) == {"backbones": ("b" * 12, "x" * 12), "recipe": ("only settings", "p" * 12)}
    assert differing_code(first, first) == differing_code(first, [record()]) == {}


def test_recorded_code_is_described():
    assert describe_code({}) == "not recorded (made by an earlier version of Framelight)"
    assert describe_code({**PATCHED, "dirty": True}) == (
        "framelight 0.2.0, commit cccccccccccc with changes, harness hhhhhhhhhhhh, backbones bbbbbbbbbbbb, "
        "recipe pppppppppppp (does more than describe an experiment)"
    )
    assert "recipe passed as a Python object" in describe_code({**CODE, "recipe": ""})
