"""Cost table of exported backbones, measured for the smallest one and rendered from recorded costs."""

import json

import pytest

from harness.bench.mobile import HEADER, MobileRow, measure_rows, render
from harness.cli import main
from harness.export.latency import Latency, MeasuredCost
from harness.utils.errors import InputError

B0 = dict(backbone="efficientnet_b0", input=224, width=1280, parameters=4_017_796, macs=384_542_352)
TINY = dict(backbone="tiny_mobilenet", input=64, width=128, parameters=90_592, macs=2_962_432)


def cost(median: float) -> MeasuredCost:
    latency = {1: Latency(median, 1.5 * median, 400), 2: Latency(median / 2, median, 800)}
    return MeasuredCost(latency, 92.4, 31.6, "Zen, 2 cores")


TABLE = [
    MobileRow(**TINY, format="onnx", precision="float32", size=430_000, cost=cost(0.21)),
    MobileRow(**B0, format="onnx", precision="float32", size=16_200_000, cost=cost(12.34)),
    MobileRow(**B0, format="litert", precision="int8", size=4_400_000, cost=cost(134.4)),
]


def test_table_has_measured_and_published_costs():
    lines = render(TABLE).splitlines()
    assert lines[0] == "Cost of one face crop on this machine: Zen, 2 cores"
    tiny, first, second = lines[4:7]
    assert tiny.split() == [
        "tiny_mobilenet",
        "64",
        "128",
        "90.6k",
        "2.96M",
        "onnx",
        "float32",
        "0.43",
        "MB",
        "0.210",
        "ms",
        "(0.315)",
        "0.105",
        "ms",
        "(0.210)",
        "92",
        "MiB",
        "32",
        "MiB",
        "-",
    ]
    assert first.startswith("efficientnet_b0") and first.endswith("16 MB, 59 ± 26 ms")
    assert second.split()[:2] == ["litert", "int8"] and "134 ms (202)" in second
    assert len({line.find("float32") for line in (tiny, first)}) == 1
    text = " ".join(lines[7:])
    assert "not measured here" in text and "enet_b0_8_best_vgaf for efficientnet_b0" in text
    assert all(len(line) <= 160 for line in lines[7:])


def test_markdown_repeats_the_backbone_in_every_row():
    lines = render(TABLE, "md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == len(HEADER) + 1 for line in table) and len(table) == 2 + len(TABLE)
    assert [line.split("|")[1].strip() for line in table[2:]] == [row.backbone for row in TABLE]


def test_json_separates_measured_and_published():
    found = json.loads(render(TABLE, "json"))
    assert found["rows"][1]["counterpart"] == "enet_b0_8_best_vgaf" and found["rows"][0]["counterpart"] is None
    assert found["rows"][1]["cost"]["latency"]["1"]["median"] == 12.34
    assert {
        "backbone": "mobilenet_7",
        "size_mb": 14.0,
        "milliseconds": 16.0,
        "deviation": 5.0,
        "input_size": 224,
        "embedding_width": 1024,
    } in found["published"]["costs"]


def test_unknown_format_raises():
    with pytest.raises(InputError, match="unknown format 'markdwn'"):
        render(TABLE, "markdwn")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["mobile", "--plot", "x.png"], "--plot needs the benchmark scale"),
        (["mobile", "--save"], "--save does not support the benchmark mobile"),
        (["mobil"], "unknown benchmark 'mobil'; did you mean mobile"),
    ],
)
def test_wrong_input_is_named(capsys, arguments, message):
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_smallest_backbone_is_measured_in_every_precision(logged):
    found = list(measure_rows(("tiny_mobilenet",), ("onnx",)))
    assert [row.precision for row in found] == ["float32", "float16", "int8"]
    assert found[0].size > found[1].size > found[2].size
    assert all(set(row.cost.latency) == {1, 2} and row.cost.memory < 250 for row in found)
    assert [text.split(" as ")[1] for text in logged] == [f"onnx in {row.precision}" for row in found]
