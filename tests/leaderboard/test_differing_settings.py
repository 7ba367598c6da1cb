import csv
import io
import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HeadConfig, HeadOverride, Protocol, SmoothingGrid
from harness.jobs.job import Configuration
from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.tracking.record_json import from_json, to_json
from harness.utils.hashing import to_jsonable
from tests.helpers.records import record

DIRECT = HeadConfig("multitask", hidden=0, learning_rate=5e-3)
SHARED = HeadConfig("multitask", hidden=128, learning_rate=1e-3)
WIDE = 200


def run(
    group,
    head=SHARED,
    value=0.5,
    entry="69a765976f5c",
    largest=50,
    kernels=("mean", "median"),
    fraction=0.25,
    smallest=0,
    gaps="linear",
    thresholds="chosen",
    missing="dropped",
    protocol=None,
    **changes,
):
    """A record with a configuration as jobs write it."""
    protocol = protocol or Protocol(fraction=fraction)
    configuration = Configuration(
        kind="run",
        task="expr",
        data="d0d0d0d0d0d0",
        entry=entry,
        features="embeddings",
        head=head,
        smoothing=SmoothingGrid(kernels, smallest, largest, gaps),
        protocol=protocol,
        thresholds=thresholds,
        missing=missing,
    )
    changes = {"protocol": protocol.name, **changes}
    return record(
        group=group, value=value, config=to_jsonable(configuration), head=head.kind if head else "constant", **changes
    )


def said(*records):
    """{run id: distinction}"""
    return {row.run_id: row.distinction for row in leaderboard_rows(records)}


def test_equal_display_keys_show_differing_head_settings():
    assert said(run("a", DIRECT), run("b", SHARED)) == {"a": ["hidden=0", "lr=0.005"], "b": ["hidden=128", "lr=0.001"]}


def test_different_display_keys_show_no_settings():
    different = [
        run("a"),
        run("b", HeadConfig("mlp", hidden=64)),
        run("c", features="scores"),
        run("d", DIRECT, backbone="tiny_mobilenet"),
        run("e", DIRECT, backbone_random=True),
        run("f", DIRECT, protocol=Protocol("published")),
        run("g", DIRECT, split="test"),
        run("h", None),
    ]
    assert set(map(tuple, said(*different).values())) == {()}


def test_only_equal_display_keys_show_settings():
    told = said(run("a", DIRECT), run("b", SHARED), run("c", SHARED, features="scores"))
    assert told["a"] and told["b"] and not told["c"]


def test_order_of_differing_settings():
    assert said(run("a", weights_hash="ab12cd" * 9, entry="1"), run("b", weights_hash="ef34ab" * 9, entry="2")) == {
        "a": ["weights ab12cd"],
        "b": ["weights ef34ab"],
    }
    assert said(run("a", entry="69a765976f5c"), run("b", entry="69a765911111")) == {
        "a": ["entry 69a76597"],
        "b": ["entry 69a76591"],
    }
    assert said(run("a"), run("b", largest=25), run("c", largest=0)) == {"a": ["r<=50"], "b": ["r<=25"], "c": []}
    assert said(run("a"), run("b", kernels=("mean",))) == {"a": ["mean/median"], "b": ["mean"]}
    assert said(run("a"), run("b", fraction=0.125)) == {"a": [], "b": ["fraction=0.125"]}


@pytest.mark.parametrize(
    "one, other, words",
    [
        ({}, {"head": HeadConfig("multitask", va_loss="mse")}, (["va_loss=ccc"], ["va_loss=mse"])),
        (
            {},
            {"head": HeadConfig("multitask", class_weights="none", label_smoothing=0.1)},
            (["class_weights=inverse", "label_smoothing=0"], ["class_weights=none", "label_smoothing=0.1"]),
        ),
        ({}, {"head": HeadConfig("multitask", invalid="zeroed")}, (["invalid=dropped"], ["invalid=zeroed"])),
        (
            {},
            {"head": HeadConfig("multitask", task_weights="balanced", keep="loss")},
            (["keep=best", "task_weights=equal"], ["keep=loss", "task_weights=balanced"]),
        ),
        ({}, {"thresholds": "half"}, (["thresholds=chosen"], ["thresholds=half"])),
        ({}, {"missing": "filled"}, (["missing=dropped"], ["missing=filled"])),
        ({}, {"gaps": "nearest"}, (["gaps=linear"], ["gaps=nearest"])),
        ({}, {"protocol": Protocol(refit=False)}, ([], ["refit=false"])),
        ({}, {"protocol": Protocol(folds=5)}, ([], ["folds=5"])),
        ({}, {"protocol": Protocol(seed=0)}, ([], ["protocol.seed=0"])),
        ({}, {"training": 0, "expected_trainings": (0, 1)}, (["trainings=1"], ["trainings=2"])),
    ],
)
def test_every_paper_setting_distinguishes_rows(one, other, words):
    defaults = {"head": HeadConfig("multitask")}
    told = said(run("a", **defaults | one), run("b", **defaults | other))
    assert (told["a"], told["b"]) == words


def test_separate_networks_are_shown_by_output():
    head = HeadConfig(
        "separate", parts=(HeadOverride("va", features="scores"), HeadOverride("au", hidden=64, keep="last"))
    )
    told = said(run("a", head), run("b", HeadConfig("separate")))
    assert told == {"a": ["va:scores", "au:hidden=64", "au:keep=last"], "b": []}
    wider = HeadConfig(
        "separate", parts=(HeadOverride("va", features="scores"), HeadOverride("au", hidden=128, keep="last"))
    )
    assert said(run("a", head), run("b", wider)) == {"a": ["au:hidden=64"], "b": ["au:hidden=128"]}


def fixed(group, kernel, radius, **changes):
    """A run whose filter leaves nothing to choose."""
    shown = {"kernel": kernel if radius else "none", "radius": radius}
    return run(group, smallest=radius, largest=radius, kernels=(kernel,), **shown, **changes)


def test_filter_in_columns_is_not_repeated():
    filters = [("mean", 0), ("mean", 2), ("mean", 7), ("median", 7)]
    listed = [fixed(f"run{i}", *one) for i, one in enumerate(filters)]
    assert set(map(tuple, said(*listed).values())) == {()}
    told = said(*listed, run("searched"))
    assert told.pop("searched") == ["mean/median", "r<=50"] and set(map(tuple, told.values())) == {()}
    assert said(listed[0], fixed("b", "median", 0)) == {"run0": ["mean"], "b": ["median"]}, "both are shown as none"
    assert said(listed[1], fixed("b", "mean", 2, gaps="nearest"))["b"] == ["gaps=nearest"]
    assert said(listed[1], fixed("b", "mean", 7, head=DIRECT))["b"] == ["hidden=0", "lr=0.005"]


def test_remaining_ties_use_the_next_setting():
    assert said(run("a", DIRECT), run("b", SHARED), run("c", SHARED, largest=9)) == {
        "a": ["hidden=0", "lr=0.005"],
        "b": ["hidden=128", "lr=0.001", "r<=50"],
        "c": ["hidden=128", "lr=0.001", "r<=9"],
    }


def test_numbers_have_the_digits_they_need():
    rates = {"a": 0.00123456, "b": 0.00123477, "c": 0.05}
    told = said(*(run(group, HeadConfig(learning_rate=rate)) for group, rate in rates.items()))
    assert told == {"a": ["lr=0.0012346"], "b": ["lr=0.0012348"], "c": ["lr=0.05"]}


def test_records_without_configuration_are_accepted():
    assert said(record(group="a", config={}), record(group="b", config={})) == {"a": [], "b": []}
    assert said(record(group="a", config={"head": None}), record(group="b", config={"l2": 1})) == {
        "a": [],
        "b": ["l2=1"],
    }


def test_table_names_all_differences_where_there_is_room_and_the_needed_ones_where_there_is_not():
    board = leaderboard_rows(
        [
            run("a" * 12, DIRECT, 0.6, backbone="tiny_resnet_stills", features="embeddings+scores"),
            run("b" * 12, SHARED, 0.5, backbone="tiny_resnet_stills", features="embeddings+scores"),
        ]
    )
    wide, usual, narrow = (render(board, width=width) for width in (140, 100, 60))
    assert "multitask hidden=0 lr=0.005" in wide and "multitask hidden=128 lr=0.001" in wide
    assert "multitask hidden=0 " in usual and "multitask hidden=128 " in usual and "lr=" not in usual
    assert " hid=0 " in narrow and " hid=128 " in narrow and "…" in narrow
    assert "multitask hidden=128 lr=0.001" in render(board, "md")


def test_many_differences_are_shortened():
    grid = [
        run(f"{i:012x}", HeadConfig("multitask", hidden=h, learning_rate=lr, l2=l2, epochs=e))
        for i, (h, lr, l2, e) in enumerate(
            (h, lr, l2, e) for h in (0, 1) for lr in (1e-3, 1e-2) for l2 in (0.0, 1e-5) for e in (10, 20)
        )
    ]
    lines = render(leaderboard_rows(grid), width=100).splitlines()
    assert max(map(len, lines)) <= 100
    body = [line.split(maxsplit=1)[1] for line in lines if " hid=" in line]
    assert len(body) == len(set(body)) == 16


CHOICES = st.builds(
    HeadConfig,
    st.sampled_from(["mlp", "multitask"]),
    hidden=st.sampled_from([1, 64]),
    learning_rate=st.sampled_from([0.1, 0.01, 0.010001]),
    standardise=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CHOICES, st.sampled_from([0, 5, 50]), st.sampled_from(["1a", "2b"])), max_size=10, unique=True),
    st.integers(100, 200),
)
def test_different_configurations_have_different_labels(choices, width):
    records = [run(f"{i:012x}", head, largest=largest, entry=entry) for i, (head, largest, entry) in enumerate(choices)]
    board = leaderboard_rows(records)
    assert len({(row.head, *row.distinction) for row in board}) == len(choices)
    lines = render(board, width=WIDE).splitlines()
    body = [line.split(maxsplit=1)[1].rsplit(maxsplit=1)[0] for line in lines if "tiny_resnet" in line]
    assert len(set(body)) == len(body) == len(choices), "told apart without rank and run id"
    assert max(map(len, render(board, width=width).splitlines())) <= width


def test_settings_are_in_json_and_csv_unrounded_and_the_head_stays_its_kind():
    board = leaderboard_rows([run("a", HeadConfig("mlp", l2=1e-7)), run("b", None, kind="baseline")])
    first, second = json.loads(render(board, "json"))
    assert first["head"] == "mlp" and second["settings"] == {} and second["distinction"] == []
    assert first["settings"] == {
        name: value for name, value in asdict(HeadConfig("mlp", l2=1e-7)).items() if name not in ("kind", "parts")
    } | {"parts": {}}
    first, second = csv.DictReader(io.StringIO(render(board, "csv")))
    assert first["settings"].startswith(
        "hidden=128 learning_rate=0.001 l2=1e-07 epochs=10 batch_size=256 standardise=true schedule=cosine keep=best "
    )
    assert " va_loss=ccc " in first["settings"]
    assert first["head"] == "mlp" and second["settings"] == ""


def test_record_read_back_gives_the_same_row():
    kept = run("a", DIRECT)
    assert render(leaderboard_rows([kept]), "csv") == render(leaderboard_rows([from_json(to_json(kept))]), "csv")


@pytest.mark.parametrize("form", ["table", "md"])
def test_raw_is_shown_only_where_smoothing_changed_something(form):
    stills = [
        run("a", kernel="none", radius=0, unsmoothed={"P_EXPR": 0.5}, unit="subject"),
        run("b", DIRECT, value=0.4, kernel="none", radius=0, unsmoothed={}),
    ]
    assert "raw" not in render(leaderboard_rows(stills), form, WIDE)
    videos = [*stills[:1], run("b", DIRECT, value=0.4, unsmoothed={"P_EXPR": 0.3})]
    text = render(leaderboard_rows(videos), form, WIDE)
    assert "raw: score without smoothing" in text and "0.300" in text
