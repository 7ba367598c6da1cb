import json

import pytest

from harness.bench.figure import Measurement
from harness.bench.hardware_limits import HardwareLimits
from harness.bench.report import render
from harness.utils.errors import InputError
from harness.utils.text import format_three_digits

MACHINE = HardwareLimits(2, 27e9, 30e9, 96e9, 192e9)
FIGURES = [
    Measurement(
        "smoothing mean",
        "251 radii of 280,000 frames x 8, smoothed and scored",
        1.5,
        "s",
        "plain loop over frames, scaled from 400 of them",
        601.4,
        400.9,
        least=200,
        floor=0.31,
        note="of 5 rounds",
    ),
    Measurement("startup", "framelight --help", 0.61, "s", limit=0.5),
    Measurement("bf16", "difference on request", 0.004, "of range"),
]


def test_table_marks_reached_and_missed():
    lines = render(FIGURES, MACHINE, "Zen").splitlines()
    assert lines[0] == (
        "Zen, 2 cores. Measured limits: copying 30.0 GB/s, read plus written (one thread 27.0); "
        "float32 matrix products 192 GFLOP/s (one thread 96)."
    )
    text = "\n".join(lines)
    assert all(len(line) <= 160 for line in lines)
    row = next(line for line in lines if line.startswith("smoothing mean"))
    for cell in ("1.50 s", "0.310 s", "601 s", "401x", "200x", "reached"):
        assert f"  {cell}" in row
    assert "280,000 frames x 8" in text and "smoothing mean: of 5 rounds" in text
    assert "<= 0.5 s" in text and "MISSED" in text and lines[-1] == "1 of 2 requirements reached; missed: startup"


def test_markdown_has_a_row_for_each_figure_and_its_notes():
    lines = render(FIGURES, MACHINE, "Zen", "md").splitlines()
    assert [line.count("|") for line in lines[2:7]] == [10] * 5
    assert lines[4].startswith("| smoothing mean | 251 radii") and lines[-1] == "- smoothing mean: of 5 rounds"


def test_json_has_every_field():
    found = json.loads(render(FIGURES, MACHINE, "Zen", "json"))
    assert found["ceilings"]["flops_per_s_one"] == 96e9
    assert [one["reached"] for one in found["figures"]] == [True, False, True]
    assert found["figures"][0]["ratio"] == 400.9 and found["figures"][1]["limit"] == 0.5


def test_another_format_raises():
    with pytest.raises(InputError, match="unknown format 'jsn'; did you mean json"):
        render(FIGURES, MACHINE, "Zen", "jsn")


@pytest.mark.parametrize(
    "value, text",
    [(0.01234, "0.0123"), (0.1, "0.100"), (1, "1.00"), (9.996, "10.0"), (12.34, "12.3"), (99.96, "100"), (123.4, "123")]
    + [(999.6, "1,000"), (1234.5, "1,234"), (2_660_000, "2,660,000")],
)
def test_numbers_have_three_digits(value, text):
    assert format_three_digits(value) == text


def test_lower_bound_is_maximum_of_memory_and_compute():
    assert MACHINE.roofline_seconds(moved=30e9) == 1.0 and MACHINE.roofline_seconds(moved=27e9, threads=1) == 1.0
    assert (
        MACHINE.roofline_seconds(moved=30e9, flops=384e9) == 2.0
        and MACHINE.roofline_seconds(flops=96e9, threads=1) == 1.0
    )
