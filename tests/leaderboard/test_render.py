import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.leaderboard import render, rows
from tests.leaderboard.test_rows import failed, one, seeds
from tests.making import record

BEST, PLAIN, MAJORITY, BROKEN = "3fa9c1d2aa00", "3fa9c1ffaa00", "8fa9c1d2aa00", "afa9c1d2aa00"


@pytest.fixture
def board():
    return rows([
        *seeds(BEST, [0.43, 0.44, 0.45], features="embeddings+scores", head="mlp", ci_low=0.4, ci_high=0.5),
        *seeds(PLAIN, [0.25, 0.26], expected=(0, 1, 2), backbone_random=True, undefined=("F1/Fear",)),
        record(group=MAJORITY, value=-0.0001, kind="baseline", backbone="", features="", head="majority",
               kernel="none", radius=0, parameters=0, unsmoothed={}),
        failed(BROKEN, 0, head="mlp"),
    ])


def test_the_table_says_what_a_reader_must_know(board):
    text = render(board, width=160)
    for said in ("Expression on rendered", "validation split", "P_EXPR", "12 videos", "held-out protocol",
                 "0.440 ± 0.010", "0.400 to 0.500", "2 of 3", "mean r=7", "tiny_resnet (random)", "312k", "failed",
                 "b baseline", "u an undefined metric counts as 0", "(random) backbone weights are random"):
        assert said in text
    assert " 0.000" in text and "-0.000" not in text
    assert "3fa9c1d" in text and "3fa9c1f" in text, "runs must be told apart by the prefix shown"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_it_fits_and_the_most_important_columns_survive(board, width):
    lines = render(board, width=width).splitlines()
    assert max(map(len, lines)) <= width
    header = next(line for line in lines if line.lstrip().startswith("#"))
    assert "backbone" in header and "head" in header and "P_EXPR" in header
    assert any("(random)" in line and "0.255" in line for line in lines)
    assert ("params" in header) <= ("run" in header), "parameters go before the run id"


@settings(max_examples=40, deadline=None)
@given(st.lists(one, min_size=1, max_size=8), st.integers(80, 200))
def test_no_line_is_wider_than_asked(records, width):
    assert max(map(len, render(rows(records), width=width).splitlines())) <= width


def test_only_the_best_row_is_bold_and_only_when_asked(board):
    assert "\033" not in render(board)
    bold = [line for line in render(board, bold=True).splitlines() if line.startswith("\033[1m")]
    assert len(bold) == 1 and "0.440" in bold[0] and bold[0].endswith("\033[0m")


def test_the_published_protocol_is_marked_optimistic():
    text = render(rows(seeds("a", [0.5], protocol="published")))
    assert "1 o" in text and "o optimistic" in text


def test_two_data_sets_of_one_name_are_told_apart():
    text = render(rows(seeds("a", [0.5], data_digest="aaaaaa111111") + seeds("b", [0.5], data_digest="bbbbbb111111")))
    assert "[aaaaaa]" in text and "[bbbbbb]" in text


def test_stills_are_counted_by_subject():
    assert "7 subjects" in render(rows(seeds("a", [0.5], units=7, unit="subject")))


def test_json_is_the_contract_with_six_decimals(board):
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


def test_markdown_is_a_table_whatever_the_names():
    text = render(rows(seeds("a", [0.5], backbone="odd|name")), "md")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 3 and "odd\\|name" in table[2]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_nothing_to_show_and_an_unknown_format():
    assert render([], "table") == "no rows\n" and json.loads(render([], "json")) == []
    assert render([], "md") == "no rows\n" and render([], "csv").startswith("rank,run_id")
    with pytest.raises(InputError, match="did you mean json"):
        render([], "jsn")


def test_seeds_of_the_runs_go_to_the_title_and_mixed_kernels_are_explained():
    records = [record(seed=seed, kernel=kernel, radius=radius, expected_seeds=(0, 1))
               for seed, kernel, radius in ((0, "mean", 4), (1, "median", 8))]
    records.append(record(group="ba5e1e000000", kind="baseline", kernel="none", radius=0))
    text = render(rows(records))
    assert "2 seeds" in text and "mixed r=6" in text and "mixed each seed chose its own kernel" in text
    assert "seeds" not in next(line for line in text.splitlines() if line.startswith("#"))
