import pytest

from harness.utils.text import align_columns, markdown_table, plural, ruled_table

ROWS = [("name", "size", "weights"), ("a", "1,024", "random"), ("tiny_resnet", "8", "")]


@pytest.mark.parametrize(
    "number, spec, text",
    [(0, ",", "0 videos"), (1, ",", "1 video"), (2000, ",", "2,000 videos"), (2000, "d", "2000 videos")],
)
def test_number_is_followed_by_its_noun(number, spec, text):
    assert plural(number, "video", spec) == text


def test_columns_are_aligned_without_trailing_spaces():
    assert align_columns(ROWS, left={0, 2}) == [
        "name          size  weights",
        "a            1,024  random",
        "tiny_resnet      8",
    ]
    assert align_columns(ROWS) == ["name          size  weights", "a            1,024   random", "tiny_resnet      8"]


def test_rule_is_as_wide_as_the_table():
    assert ruled_table(ROWS, left={0, 2})[1] == "-" * len("tiny_resnet  1,024  weights")
    assert ruled_table([("two", "b"), ("lines", ""), ("a", "c")], left=2, header=2) == [
        "two    b",
        "lines",
        "-" * 8,
        "a      c",
    ]


def test_pipe_in_a_cell_is_escaped_in_markdown():
    assert markdown_table(("a", "b"), [("x|y ", "1")], right=[1]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
