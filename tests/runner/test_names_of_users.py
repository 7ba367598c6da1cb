"""Folders and modules of users that have the names of Framelight's packages."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from harness.runner.loader import find_recipe, recipe_minutes, recipe_names, recipe_path

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


def test_framelight_is_found_beside_a_module_named_harness(folder):
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
