import csv
import io
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.utils.errors import InputError
from tests.helpers.records import record
from tests.leaderboard.test_rows import failed, one, seeds

BEST, PLAIN, MAJORITY, BROKEN = "3fa9c1d2aa00", "3fa9c1ffaa00", "8fa9c1d2aa00", "afa9c1d2aa00"


@pytest.fixture
def board():
    return leaderboard_rows(
        [
            *seeds(BEST, [0.43, 0.44, 0.45], features="embeddings+scores", head="mlp", ci_low=0.4, ci_high=0.5),
            *seeds(PLAIN, [0.25, 0.26], expected=(0, 1, 2), backbone_random=True, undefined=("F1/Fear",)),
            record(
                group=MAJORITY,
                value=-0.0001,
                kind="baseline",
                backbone="",
                features="",
                head="majority",
                kernel="none",
                radius=0,
                parameters=0,
                unsmoothed={},
            ),
            failed(BROKEN, 0, head="mlp"),
        ]
    )


def test_table_has_all_notes(board):
    text = render(board, width=160)
    for said in (
        "Expression on rendered",
        "validation split",
        "P_EXPR",
        "12 videos",
        "held-out protocol",
        "0.440 ± 0.010",
        "0.400 to 0.500",
        "2 of 3",
        "mean 7",
        "tiny_resnet (random)",
        "312k",
        "failed",
        "b: baseline",
        "u: some metric is undefined and counted as 0",
        "undefined, counted as 0: F1/Fear in 1 row",
        "(random): backbone with random weights",
    ):
        assert said in text
    assert " 0.000" in text and "-0.000" not in text
    assert "3fa9c1d" in text and "3fa9c1f" in text, "runs must be told apart by the prefix shown"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_table_fits_and_keeps_important_columns(board, width):
    lines = render(board, width=width).splitlines()
    assert max(map(len, lines)) <= width
    header = next(line for line in lines if line.startswith("rank"))
    assert "backbone" in header and "head" in header and "P_EXPR" in header
    assert any("(random)" in line and "0.255" in line for line in lines)
    assert ("param" in header) <= ("run id" in header), "parameters go before the run id"


@settings(max_examples=40, deadline=None)
@given(st.lists(one, min_size=1, max_size=8), st.integers(80, 200))
def test_lines_fit_the_width(records, width):
    assert max(map(len, render(leaderboard_rows(records), width=width).splitlines())) <= width


def test_only_the_best_row_is_bold_and_only_when_asked(board):
    assert "\033" not in render(board)
    bold = [line for line in render(board, bold=True).splitlines() if line.startswith("\033[1m")]
    assert len(bold) == 1 and "0.440" in bold[0] and bold[0].endswith("\033[0m")


@pytest.mark.parametrize("form", ["table", "md"])
def test_published_protocol_is_marked_optimistic_and_comes_after_the_held_out(form):
    text = render(leaderboard_rows([*seeds("a", [0.5], protocol="published"), *seeds("b", [0.4])]), form)
    titles = [block for block in text.split("\n\n") if "Expression on" in block]
    assert len(titles) == 2 and "OPTIMISTIC" not in titles[0]
    assert "OPTIMISTIC: selected on the reported split" in titles[1]


@pytest.mark.parametrize("form, say", [("json", "true"), ("csv", "true")])
def test_json_marks_optimistic_rows(form, say):
    both = leaderboard_rows([*seeds("a", [0.5], protocol="published"), *seeds("b", [0.4])])
    text = render(both, form)
    read = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))
    assert [str(row["optimistic"]).lower() for row in read] == ["false", say]


def test_truncated_names_stay_distinct():
    names = ("drawn_expressions_and_identities", "drawn_expressions_and_identities_1")
    text = render(
        leaderboard_rows(
            [
                record(group=f"{i:012x}", backbone=name, features="embeddings+scores", ci_low=0.1, ci_high=0.9)
                for i, name in enumerate(names)
            ]
        ),
        width=70,
    )
    cells = [line.split()[1] for line in text.splitlines() if "drawn" in line]
    assert len(set(cells)) == 2 and all("…" in cell for cell in cells)


BACKBONES = ("timm_efficientnet_b0.ra_in1k_v1", "timm_efficientnet_b0.ra_in1k_v2", "timm_efficientnet_b2.ra_in1k_v1")


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 140])
def test_no_width_takes_what_tells_rows_apart(width):
    grid = itertools.product(
        BACKBONES, ("embeddings", "embeddings+scores"), ("logistic_regression", "logistic_mixture")
    )
    rows = leaderboard_rows(
        record(group=f"{i:06x}ffffff", backbone=backbone, features=features, head=head)
        for i, (backbone, features, head) in enumerate(grid)
    )
    lines = render(rows, width=width).splitlines()
    header = next(line for line in lines if line.startswith("rank"))
    start, end = header.index("backbone"), header.index("P_EXPR")
    names = [line[start:end] for line in lines[lines.index(header) + 2 :][:12]]
    assert len(set(names)) == 12, "\n".join(lines)


def test_narrow_board_says_that_columns_are_missing(board):
    note = "columns were left out: a wider terminal, --format csv or --out FILE shows them all"
    assert note not in render(board, width=160) and note not in render(board, width=None)
    assert note in " ".join(render(board, width=60).split())


def test_tables_in_files_have_no_width_limit():
    names = [f"a_backbone_with_a_name_of_many_characters_{i:060}" for i in range(2)]
    rows = leaderboard_rows(record(group=f"{i:06x}ffffff", backbone=name) for i, name in enumerate(names))
    lines = render(rows, width=None).splitlines()
    assert all(any(name in line and "312k" in line for line in lines) for name in names)
    tables = {line for line in lines if any(name in line for name in ("rank", "---", *names))}
    assert max(map(len, set(lines) - tables)) <= 100


def test_interval_is_shown_at_width_100():
    text = render(
        leaderboard_rows(
            seeds(
                "a" * 12,
                [0.4, 0.5],
                backbone="drawn_expressions_1",
                features="embeddings+scores",
                ci_low=0.3,
                ci_high=0.6,
            )
            + seeds("b" * 12, [0.3, 0.4], backbone="drawn_expressions", kernel="median", radius=12)
        )
    )
    assert "0.300 to 0.600" in text and "aaaaaa" in text and max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("width", [80, 100])
def test_rows_with_many_settings_keep_run_ids(width):
    """Their settings are cut alike; without the id nothing would name a row."""
    listed = leaderboard_rows(
        [
            record(
                group=f"{i}" * 12,
                backbone="drawn_expressions",
                features="embeddings+scores",
                ci_low=0.1,
                ci_high=0.9,
                kernel="median",
                radius=100 + i,
            )
            for i in range(1, 9)
        ]
    )
    for i, row in enumerate(listed):
        row.distinction = ["lr=0.001", "standardise=true", "schedule=cosine", "missing=dropped", f"fraction=0.{i}"]
    text = render(listed, width=width)
    assert all(f"{i}" * 6 in text for i in range(1, 9)), text


def test_publication_notes_are_numbered():
    notes = [{"note": "crops of 224 pixels"}, {"note": "another run"}, {}]
    figures = [
        record(group=f"p{i}", kind="published", config={"source": "a notebook [4]", **note})
        for i, note in enumerate(notes)
    ]
    text, markdown = render(leaderboard_rows(figures)), render(leaderboard_rows(figures), "md")
    assert "notes: (1) crops of 224 pixels (2) another run" in text and "a notebook [4]" in text
    assert "| crops of 224 pixels |" in markdown and "source" in markdown


def test_data_sets_with_the_same_name_are_distinguished():
    text = render(
        leaderboard_rows(seeds("a", [0.5], data_digest="aaaaaa111111") + seeds("b", [0.5], data_digest="bbbbbb111111"))
    )
    assert "[aaaaaa]" in text and "[bbbbbb]" in text


def test_stills_are_counted_by_subject():
    assert "7 subjects" in render(leaderboard_rows(seeds("a", [0.5], units=7, unit="subject")))


def test_json_has_documented_fields_with_six_decimals(board):
    read = json.loads(render(board, "json"))
    assert [r["rank"] for r in read] == [1, 2, 3, None]
    assert read[0]["seeds"] == [0, 1, 2] and read[1]["seeds_missing"] == [2]
    assert read[1]["std"] == 0.007071 and read[3]["value"] is None and read[2]["std"] is None
    assert all(list(r) == sorted(r) for r in read)


def test_csv_reads_back(board):
    read = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert [r["run_id"] for r in read] == [BEST, PLAIN, MAJORITY, BROKEN]
    assert read[0]["value"] == "0.440000" and read[0]["seeds"] == "0 1 2" and read[0]["metrics.accuracy"] == "0.600000"
    assert read[3]["value"] == "" and read[1]["random_weights"] == "true"


def test_markdown_is_a_table_for_any_names():
    text = render(leaderboard_rows(seeds("a", [0.5], backbone="odd|name")), "md")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 3 and "odd\\|name" in table[2]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_nothing_to_show_and_an_unknown_format():
    assert render([], "table") == "no rows\n" and json.loads(render([], "json")) == []
    assert render([], "md") == "no rows\n" and render([], "csv").startswith("rank,run_id")
    with pytest.raises(InputError, match="did you mean json"):
        render([], "jsn")


def test_seeds_of_the_runs_go_to_the_title_and_mixed_kernels_are_explained():
    records = [
        record(seed=seed, kernel=kernel, radius=radius, expected_seeds=(0, 1))
        for seed, kernel, radius in ((0, "mean", 4), (1, "median", 8))
    ]
    records.append(record(group="ba5e1e000000", kind="baseline", kernel="none", radius=0))
    text = render(leaderboard_rows(records))
    assert "2 seeds" in text and "mixed 6" in text and "mixed: seeds use different kernels" in text
    assert "seeds" not in next(line for line in text.splitlines() if line.startswith("rank"))
