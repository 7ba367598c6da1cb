"""Folders and modules of users that have the names of Framelight's packages."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from harness.runner.loader import find_recipe, recipe_minutes, recipe_names, recipe_path
from harness.utils.import_hooks import _is_own_process, refuse_same_name

HOME = Path(__file__).resolve().parents[2]
PACKAGES = ("backbones", "experiments", "harness")


@pytest.fixture
def folder(tmp_path):
    """A working folder with packages of a user."""
    for name in ("experiments", "backbones", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("OWNER = 'user'\n")
    (tmp_path / "experiments" / "quickstart.py").write_text("raise RuntimeError('this is not the recipe')\n")
    return tmp_path


def run_in(folder, *command, path=HOME):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(path)},
    )


@pytest.mark.parametrize("imported", [True, False])
def test_recipes_are_found_beside_the_code(folder, monkeypatch, imported):
    for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder))
    if imported:
        import_module("experiments")
    assert "abaw3_expr" in recipe_names() and recipe_path("quickstart").is_relative_to(HOME)
    assert find_recipe("quickstart").name == "quickstart" and find_recipe("quickstart") is find_recipe("quickstart")
    assert recipe_minutes("quickstart") > 0
    assert import_module("experiments").OWNER == "user"
    for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
        del sys.modules[name]  # monkeypatch puts back what was there before


def test_command_runs_beside_packages_with_the_same_names(folder):
    done = run_in(folder, "-m", "harness.cli", "recipes")
    assert done.returncode == 0 and "quickstart" in done.stdout, done.stderr


@pytest.mark.parametrize("first", ["harness", "backbones"])
def test_package_named_backbones_is_refused(folder, first):
    second = "harness" if first == "backbones" else "backbones"
    done = run_in(folder, "-c", f"import {first}, {second}")
    assert done.returncode == 1 and f"ImportError: {folder / 'backbones'} has the name of a package" in done.stderr
    assert f"rename {folder / 'backbones'}" in done.stderr


@pytest.mark.parametrize("kind", ["module", "namespace", "own", "imported namespace"])
def test_only_code_of_the_user_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.delitem(sys.modules, "backbones")
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py"])
    monkeypatch.syspath_prepend(str(HOME if kind == "own" else tmp_path))
    if kind == "module":
        (tmp_path / "backbones.py").touch()
    else:
        (tmp_path / "backbones").mkdir()  # such as one with weights
    if kind == "imported namespace":
        monkeypatch.setitem(sys.modules, "backbones", ModuleType("backbones"))
        sys.modules["backbones"].__spec__ = ModuleSpec("backbones", None, is_package=True)
        sys.modules["backbones"].__spec__.submodule_search_locations.append(str(tmp_path / "backbones"))
    if kind in ("own", "namespace"):
        refuse_same_name("backbones")
    else:
        with pytest.raises(ImportError, match="has the name of a package of Framelight"):
            refuse_same_name("backbones")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["-m", "framelight", "run"], True),
        (["-X", "dev", "-P", "-m", "harness.export.latency"], True),
        (["/venv/bin/framelight", "recipes"], True),
        (["-c", "from multiprocessing.spawn import spawn_main; spawn_main()", "--multiprocessing-fork"], True),
        (["train.py", "-m", "framelight"], False),
        (["-m", "pytest"], False),
        (["-c", "import framelight"], False),
        ([], False),
    ],
)
def test_processes_without_code_of_the_user(arguments, expected):
    assert _is_own_process(arguments) is expected


def test_framelight_is_found_beside_a_module_named_harness(folder):
    shutil.rmtree(folder / "backbones")
    (folder / "harness.py").write_text("OWNER = 'user'\n")
    site = folder / "site"
    site.mkdir()
    for name in PACKAGES:
        (site / name).symlink_to(HOME / name)
    (site / "framelight").symlink_to(HOME / "harness")
    done = run_in(folder, "-m", "framelight", "recipes", path=site)
    assert done.returncode == 0 and "quickstart" in done.stdout, done.stderr
    done = run_in(folder, "-c", "import framelight; print(framelight.ccc([0, 1], [0, 1]))", path=site)
    assert done.stdout.strip() == "1.0", done.stderr
    done = run_in(folder, "-c", "import harness, framelight", path=site)
    assert f"ImportError: {folder / 'harness.py'} hides a package of Framelight; rename it" in done.stderr
