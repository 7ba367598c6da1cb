"""Published results next to runs on the same data."""

from harness.leaderboard.published import add_published_rows
from harness.leaderboard.rows import leaderboard_rows
from tests.helpers.records import record

COUNTS = {"expr": 1000}


def figure(number, value=0.6, **changes):
    return record(
        group=f"published-{number}",
        value=value,
        kind="published",
        dataset="Aff-Wild2",
        data_digest="",
        **{"protocol": "published", "config": {"source": "a notebook [4]"}, **changes},
    )


def boards(*records):
    """{(dataset, split, protocol): run ids in order}"""
    found = {}
    for row in leaderboard_rows(
        add_published_rows(
            [r for r in records if r.kind != "published"],
            [r for r in records if r.kind == "published"],
            COUNTS,
            "Aff-Wild2",
        )
    ):
        found.setdefault((row.dataset, row.split, row.protocol), []).append(row.run_id)
    return found


def test_published_rows_need_the_same_number_of_rows():
    own = record(group="own", value=0.5, protocol="published", dataset="my crops")
    assert boards(own, figure(1)) == {("my crops", "validation", "published"): ["own", "published-1"]}
    listed = leaderboard_rows(add_published_rows([own], [figure(1)], COUNTS, "Aff-Wild2"))
    assert [(row.rank, row.kind) for row in listed] == [(1, "run"), (None, "published")]


def test_published_rows_are_not_mixed_with_other_boards():
    assert boards(record(group="own", protocol="published", annotated=77), figure(1)) == {
        ("rendered", "validation", "published"): ["own"],
        ("Aff-Wild2", "validation", "published"): ["published-1"],
    }
    own = record(group="own", protocol="held-out")
    assert boards(own, figure(1))[("Aff-Wild2", "validation", "published")] == ["published-1"]
    own = record(group="own", protocol="published")
    assert boards(own, figure(1, split="test"))[("Aff-Wild2", "test", "published")] == ["published-1"]


def test_published_row_is_on_every_matching_board():
    own = [record(group=name, protocol="published", dataset=name, data_digest=name) for name in ("one", "two")]
    assert boards(*own, figure(1)) == {
        ("one", "validation", "published"): ["one", "published-1"],
        ("two", "validation", "published"): ["two", "published-1"],
    }


def test_boards_of_figures_alone_come_after_those_of_runs():
    own = record(group="own", dataset="zebra", data_digest="z", annotated=3)
    assert list(boards(own, figure(1))) == [
        ("zebra", "validation", "held-out"),
        ("Aff-Wild2", "validation", "published"),
    ]


def test_test_split_is_not_called_optimistic():
    listed = leaderboard_rows([figure(1), figure(2, split="test")])
    assert {row.split: row.optimistic for row in listed} == {"validation": True, "test": False}
