"""The smaller commands on real folders."""

import json
import subprocess
import time
import urllib.request

import pytest

from harness.cli import main
from tests.helpers import small_run


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for name in ("run", "train-backbone", "leaderboard", "data", "backbones", "extract", "ui", "bench"):
        assert f"\n    {name}" in said


def test_help_imports_nothing_heavy():
    heavy = "torch", "mlflow", "optuna", "pytorch_lightning", "timm", "pandas", "scipy", "sklearn", "numpy"
    done = subprocess.run(
        [
            *small_run.command()[:1],
            "-c",
            "import sys, contextlib\nfrom harness.cli import main\n"
            "with contextlib.suppress(SystemExit): main(['--help'])\n"
            f"print([m for m in {heavy} if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["fly"], ["leaderboard", "--format", "xml"], ["data", "make"], [], ["run", "x", "--jobs", "0"]],
)
def test_wrong_command_line_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_data_make_then_check(tmp_path, capsys):
    folder = str(tmp_path / "made")
    assert main(["data", "make", folder, "--videos", "5", "--frames", "12", "--stills", "24", "--jobs", "1"]) == 0
    assert main(["data", "check", folder]) == 0
    assert main(["data", "check", f"{folder}/stills"]) == 0
    assert main(["data", "make", folder]) == 2
    assert "empty" in capsys.readouterr().err


def test_data_check_ends_with_2_on_an_error(small_set, tmp_path, capsys):
    subprocess.run(["cp", "-r", small_set, tmp_path / "data"], check=True)
    path = sorted((tmp_path / "data/Third ABAW Annotations/VA_Estimation_Challenge/Train_Set").glob("*.txt"))[0]
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, "0.1,1.5", *rest]) + "\n")
    assert main(["data", "check", str(tmp_path / "data")]) == 2
    assert f"{path.name}:2" in capsys.readouterr().out


def test_extract_twice_computes_once(small_set, tmp_path, capsys):
    arguments = [
        "extract",
        "--data",
        str(small_set),
        "--backbone",
        "tiny_resnet@random",
        "--store",
        str(tmp_path),
        "--precision",
        "float32",
    ]
    assert main(arguments) == 0
    first = capsys.readouterr()
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npy")}
    assert "128 embedding" in first.out and files
    assert main(arguments) == 0
    assert capsys.readouterr().out == first.out
    assert files == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npy")}


def test_backbones_lists_all_and_shows_one(tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    assert main(["backbones", *store]) == 0
    listed = capsys.readouterr().out
    for name in ("efficientnet_b0", "efficientnet_b2", "mobilenet_v1", "mobilenet_v3", "mobilenet_v4_small", "vggface"):
        assert f"\n{name} " in listed
    assert main(["backbones", "timm:resnet10t", *store]) == 0
    assert "embedding width" in capsys.readouterr().out
    assert main(["backbones", "efficientnet_b1", *store]) == 2
    assert "did you mean efficientnet_b" in capsys.readouterr().err


def test_timm_model_runs_as_a_backbone(small_set, tmp_path, capsys):
    assert (
        main(["extract", "--data", str(small_set), "--backbone", "timm:test_resnet@random", "--store", str(tmp_path)])
        == 0
    )
    assert "random" in capsys.readouterr().out


@pytest.mark.slow
def test_ui_answers_on_loopback(finished):
    store, _ = finished
    process = subprocess.Popen(
        small_run.command("ui", "--store", store, "--port", "5077"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(60):
            try:
                with urllib.request.urlopen(
                    "http://127.0.0.1:5077/api/2.0/mlflow/experiments/search?max_results=9", timeout=5
                ) as answer:
                    names = [e["name"] for e in json.load(answer)["experiments"]]
                    assert "framelight" in names
                    return
            except OSError:
                time.sleep(1)
        pytest.fail("the UI did not answer")
    finally:
        process.terminate()
        process.wait()
