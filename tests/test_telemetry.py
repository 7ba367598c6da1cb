"""No process of Framelight reports to anybody. Nothing here can be sent: the processes have no network."""

import ast
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import backbones.telemetry
from backbones.telemetry import NO_TELEMETRY
from harness.export.example import example_script
from harness.export.formats import format_named
from harness.utils import process_environment
from harness.utils.parallel import run_module_in_subprocess
from tests.helpers import name_server
from tests.helpers.small_run import command

HOME = Path(__file__).resolve().parents[1]
LOADER = HOME / "harness/export/registry/framelight_onnx.py"
CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "TF_BUILD")
"""Libraries report nothing where these are set."""
SESSION = """
import sys, time
from onnx import TensorProto, helper
import onnxruntime

ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])] for name in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", *ports)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": [1.0]})
time.sleep(float(sys.argv[1]))
"""

without_network = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--map-root-user", "--net", "--mount", "true"], capture_output=True).returncode != 0,
    reason="this system does not allow network namespaces",
)


def run_without_network(folder, *command, seconds=0.0, **variables):
    """Run a command in an empty home folder; return the names that it asked for and the files that it left there."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in (*NO_TELEMETRY, *CI_VARIABLES)}
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "--mount", sys.executable, name_server.__file__, folder, str(seconds)]
        + list(map(str, command)),
        capture_output=True,
        text=True,
        env={**kept, "HOME": str(home), "XDG_CACHE_HOME": "", "PYTHONPATH": str(HOME), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), [path for path in home.rglob("*icrosoft*/**/*") if path.is_file()]


@pytest.mark.parametrize("package", ["harness", "backbones"])
def test_importing_a_package_switches_reports_off(package):
    code = f"import os, {package}; print(*(os.environ.get(name) for name in {list(NO_TELEMETRY)}))"
    empty = {**os.environ, **dict.fromkeys(NO_TELEMETRY, "")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOME, env=empty)
    assert done.stdout.split() == list(NO_TELEMETRY.values()), done.stderr


def test_measured_processes_report_nothing(tmp_path):
    """Also if the environment of the measurement has none of the variables."""
    (tmp_path / "show.py").write_text("import os, harness; print(*(f'{k}={v}' for k, v in os.environ.items()))")
    given = {name: value for name, value in os.environ.items() if name not in NO_TELEMETRY}
    done = run_module_in_subprocess("show", environment={**given, "PYTHONPATH": str(tmp_path)})
    assert {f"{name}={value}" for name, value in NO_TELEMETRY.items()} <= set(done.stdout.split()), done.stderr


@pytest.mark.parametrize("switch", ["harness", "backbones", "loader"])
def test_runtime_that_was_imported_before_is_told(monkeypatch, switch):
    import onnxruntime

    disable = {
        "harness": process_environment.disable_telemetry,
        "backbones": backbones.telemetry.disable_telemetry,
        "loader": lambda: runpy.run_path(str(LOADER)),
    }[switch]
    told = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: told.append("off"))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "")
    disable()
    assert told == ["off"] and os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_choice_of_the_user_is_kept(monkeypatch):
    import onnxruntime

    told = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: told.append("off"))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    backbones.telemetry.disable_telemetry()
    assert told == [] and os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_serving_example_switches_reports_of_mlflow_off():
    """`mlflow models serve` is a process of the user."""
    page = (HOME / "harness/export/README.md").read_text()
    assert page.index("export MLFLOW_DISABLE_TELEMETRY=true") < page.index("mlflow models serve -m")


@pytest.mark.parametrize(
    "code", [LOADER.read_text(), example_script(format_named("onnx"), "bilinear")], ids=["MLflow model", "example.py"]
)
def test_code_that_leaves_framelight_switches_reports_off_first(code):
    lines = code.splitlines()
    [switch] = [number for number, line in enumerate(lines) if 'os.environ["ORT_DISABLE_TELEMETRY"] = "1"' in line]
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import)]
    [runtime] = [node.lineno - 1 for node in imports if "onnxruntime" in [alias.name for alias in node.names]]
    assert switch < runtime


def test_openvino_is_used_without_its_converter():
    """`openvino.convert_model` reports its use unless a file in the home folder says no."""
    for path in (*HOME.glob("harness/**/*.py"), *HOME.glob("backbones/**/*.py")):
        assert "convert_model(" not in path.read_text(), path


@without_network
def test_session_of_framelight_leaves_no_device_id(tmp_path):
    names, files = run_without_network(tmp_path, sys.executable, "-c", "import harness" + SESSION, 0)
    assert (names, files) == ([], [])


@pytest.mark.slow
@without_network
def test_names_are_seen_where_reports_are_on(tmp_path):
    """Otherwise the other tests could not fail."""
    import onnxruntime

    names, files = run_without_network(tmp_path, sys.executable, "-c", SESSION, 15)
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 29):
        pytest.skip("this version of ONNX Runtime reports nothing")
    assert names and files


@pytest.mark.slow
@without_network
def test_no_command_asks_for_a_name(small_set, recipe_file, tmp_path):
    store = ("--store", tmp_path / "store")
    for arguments in (
        ("run", recipe_file, "--data", small_set, "--jobs", 2, *store),
        ("export", "best:expr", "--out", tmp_path / "exported", *store),
        (
            "predict",
            small_set / "cropped_aligned/video1",
            "--run",
            "best:expr",
            "--out",
            tmp_path / "predicted",
            *store,
        ),
    ):
        names, files = run_without_network(tmp_path, *command(*arguments), seconds=5)
        assert (names, files) == ([], []), arguments[0]
