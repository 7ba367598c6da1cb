import json
from importlib import import_module

import pytest

from harness.bench import BENCHMARKS, run_benchmarks
from harness.bench.figure import Measurement
from harness.bench.hardware_limits import hardware_limits
from harness.cli import main
from harness.utils.errors import InputError


def test_single_benchmark_by_name(capsys):
    code = main(["bench", "startup", "--format", "json"])
    out, told = capsys.readouterr()
    [figure] = json.loads(out)["figures"]
    assert code == (0 if figure["reached"] else 1)  # a busy machine may miss the requirement
    assert figure["part"] == "startup" and figure["floor"] > 0 and figure["value"] > 0
    assert "measuring startup" in told


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["smothing"], "unknown benchmark 'smothing'; did you mean smoothing"),
        (["startup", "--plot", "x.png"], "--plot needs the benchmark scale"),
    ],
)
def test_wrong_input_is_named(capsys, arguments, message):
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_unknown_name_raises_before_measuring():
    with pytest.raises(InputError, match="unknown benchmark 'scael'; did you mean scale"):
        run_benchmarks("scael")


def test_every_benchmark_is_a_function_of_a_module():
    for place in BENCHMARKS.values():
        module, function = place.split(".")
        assert callable(getattr(import_module(f"harness.bench.{module}"), function))


def test_interrupted_results_are_printed(capsys, monkeypatch):
    def measured(name):
        yield Measurement("quick", "done", 1.0, "s", limit=2.0)
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.bench.run_benchmarks", measured)
    assert main(["bench"]) == 130
    assert "1 of 1 requirements reached" in capsys.readouterr().out


def test_failure_without_results_prints_no_table(capsys, tmp_path):
    (tmp_path / "store").write_text("not a folder")
    assert main(["bench", "scale", "--store", str(tmp_path / "store")]) == 1
    out, told = capsys.readouterr()
    assert out == "" and f"cannot write {tmp_path / 'store'}" in told


def test_hardware_limits_are_measured_once():
    found = hardware_limits()
    assert found is hardware_limits() and found.cores >= 1
    assert found.copy_bytes_per_s_one > 1e8 and found.flops_per_s_one > 1e8
