"""The public interface: `harness`, `framelight`, and the functions for scripts and notebooks."""

import ast
import doctest
import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import harness
from harness.cli import main
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store
from tests.helpers.short_measurement import short_measurement
from tests.helpers.small_run import write_recipe

HOME = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "mlflow", "optuna", "pytorch_lightning", "pandas", "numpy", "scipy", "sklearn")
AS_FRAMELIGHT = f"""
import importlib.util, sys
file = {str(HOME / "harness" / "__init__.py")!r}
folder = {str(HOME / "harness")!r}
spec = importlib.util.spec_from_file_location("framelight", file, submodule_search_locations=[folder])
framelight = sys.modules["framelight"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(framelight)
import harness
"""
"""Imports harness/__init__.py as the build maps it."""


@pytest.fixture(scope="module")
def store(finished, tmp_path_factory):
    """A copy of the store in which the small recipe has run."""
    return Path(shutil.copytree(finished[0], tmp_path_factory.mktemp("public") / "store"))


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOME)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_type_checkers_see_the_public_names():
    tree = ast.parse((HOME / "harness" / "__init__.py").read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module != "typing"
    }
    assert sorted(seen) == sorted(harness.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is functions(name), name


def functions(name):
    """The object behind a public name; packages that are called stand for their functions."""
    value = getattr(harness, name)
    return value.__wrapped__ if isinstance(value, ModuleType) else value


def test_import_is_light_and_lazy():
    assert (
        python(
            f"import sys, harness; print([m for m in {HEAVY} if m in sys.modules], set(harness.__all__) < "
            "set(dir(harness)))"
        )
        == "[] True"
    )
    assert (
        python(
            "import sys; from harness import BackboneRecipe, Grid, HeadConfig, Recipe; print([m for m in "
            f"{set(HEAVY) - {'numpy'}} if m in sys.modules])"
        )
        == "[]"
    )
    assert python("from harness import *; print(Recipe.__name__, ccc([0, 1], [0, 1]))") == "Recipe 1.0"


def test_unknown_name_raises_import_error():
    with pytest.raises(ImportError, match="cannot import name 'Recipes' from 'harness'"):
        from harness import Recipes  # noqa: F401


def test_version_is_that_of_the_distribution():
    assert harness.__version__ == tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["version"]


def test_callable_package_can_be_imported_from():
    assert (
        python(
            "import harness.leaderboard.rows; from harness import leaderboard, export; print(callable(export), "
            "leaderboard is harness.leaderboard, callable(leaderboard.rows.leaderboard_rows))"
        )
        == "True True True"
    )


def test_framelight_is_the_same_interface():
    assert (
        python(
            AS_FRAMELIGHT + "print([name for name in harness.__all__ "
            "if getattr(framelight, name) is not getattr(harness, name)])"
        )
        == "[]"
    )


@pytest.mark.parametrize("statement", ["import framelight.metrics", "from framelight.runner.recipe import Recipe"])
def test_framelight_has_no_second_copy_of_a_module(statement):
    code = f"{AS_FRAMELIGHT}\ntry:\n    {statement}\nexcept ModuleNotFoundError as error:\n    print(error)"
    module = statement.split()[1]
    assert python(code).startswith(
        f"No module named '{module.rpartition('.')[0] if 'recipe' in module else module}': "
        "framelight has no submodules; import harness."
    )


@pytest.mark.skipif(importlib.util.find_spec("framelight") is None, reason="needs the installed distribution")
def test_framelight_is_installed_and_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "framelight", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "framelight run quickstart" in done.stdout
    assert python("import framelight, harness; print(framelight.Recipe is harness.Recipe)") == "True"


def test_build_lists_every_package():
    settings = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for top in ("backbones", "experiments", "harness") for path in (HOME / top).rglob("*.py")}
    packages = {".".join(folder.relative_to(HOME).parts) for folder in folders}
    assert settings["packages"] == sorted({*packages, "framelight"})
    assert settings["package-dir"] == {"framelight": "harness"}
    assert all((HOME / top / "py.typed").is_file() for top in ("backbones", "experiments", "harness"))


def test_recipes_import_from_harness_alone():
    for path in (HOME / "experiments").glob("*.py"):
        modules = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        assert not [module for module in modules if module.startswith("harness.")], path


@pytest.mark.parametrize("name", [name for name in harness.__all__ if name != "FEATURES"])
def test_examples_of_the_documentation_are_true(name, store, small_set, tmp_path):
    [test] = doctest.DocTestFinder(recurse=False).find(functions(name), name, globs={})
    assert test.examples, f"{name} has no example"
    test.globs = {
        **{name: getattr(harness, name) for name in harness.__all__},
        "data": small_set,
        "store": store,
        "out": tmp_path,
    }
    runner, report = doctest.DocTestRunner(), []
    with short_measurement() if name == "export" else nullcontext():
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_leaderboard_has_the_rows_of_the_command(store, capsys):
    main(["leaderboard", "--store", str(store), "--format", "json"])
    rows = json.loads(capsys.readouterr().out)
    board = harness.leaderboard(store)
    assert set(board.columns) == set(rows[0]) and board["run_id"].tolist() == [row["run_id"] for row in rows]
    for name in ("value", "ci_low", "ci_high"):
        assert board[name].tolist() == pytest.approx([row[name] for row in rows], abs=1e-6)
    for name in ("rank", "tied_with_best"):
        assert board[name].astype(object).where(board[name].notna(), None).tolist() == [row[name] for row in rows]
    only = harness.leaderboard(str(store), "au")
    assert only["run_id"].tolist() == [row["run_id"] for row in rows if row["task"] == "au"]


def test_leaderboard_of_empty_store(tmp_path):
    assert len(harness.leaderboard(tmp_path)) == 0 and "ci_low" in harness.leaderboard(tmp_path)
    with pytest.raises(InputError, match="unknown task 'expression'; did you mean expr"):
        harness.leaderboard(tmp_path, task="expression")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; a store is a folder"):
        harness.leaderboard(tmp_path / "file")


def test_store_is_that_of_the_environment(store, monkeypatch):
    monkeypatch.setenv("FRAMELIGHT_STORE", str(store))
    assert len(harness.leaderboard()) == len(harness.leaderboard(store)) > 0
    assert harness.find_run("best:au").folder.is_relative_to(store)


@pytest.mark.parametrize("task", ["expr", "au"])
def test_predictions_and_labels_of_a_run_give_its_scores(store, task):
    run = harness.find_run(f"best:{task}", store)
    frames = run.predictions.merge(run.labels, on=["video", "frame"], suffixes=("", "_true"))
    if task == "expr":
        smoothed, raw = (
            harness.p_expr(frames["expression_true"].cat.codes, frames[name].cat.codes)
            for name in ("expression", "expression_raw")
        )
    else:
        units = [name for name in run.labels.columns if name.startswith("AU")]
        truth = frames[[f"{unit}_true" for unit in units]].fillna(-1).to_numpy(int)
        smoothed, raw = (
            harness.p_au(truth, frames[[unit + suffix for unit in units]].to_numpy(int)) for suffix in ("", "_raw")
        )
    assert smoothed == pytest.approx(run.metrics[run.record.metric], abs=1e-12)
    assert raw == pytest.approx(run.record.unsmoothed[run.record.metric], abs=1e-12)
    assert len(run.predictions) == run.load_predictions().lengths.sum() and not run.predictions.isna().any(axis=None)


def test_run_has_its_settings_statistics_and_figures(store):
    run = harness.find_run("best:expr", store)
    assert run.config.group_id == run.record.group_id and run.config.head.kind == run.record.head
    assert len(run.units) == len(run.statistics.arrays["expr"]) == run.record.units
    assert {path.name for path in run.figures} >= {"confusion.png", "smoothing.png"}
    assert run.record.job_id in repr(run) and len(repr(run)) < 200
    assert harness.find_run(run.record.job_id, store).record == run.record
    with pytest.raises(InputError, match="no finished seed 7; it has 0"):
        harness.find_run(run.record.group_id[:8], store, seed=7)


def test_labels_of_data_that_was_moved_are_read_where_it_is_now(store, small_set, tmp_path):
    moved = Path(shutil.copytree(store, tmp_path / "store"))
    places = Store(moved).dataset_locations
    places.write_text(places.read_text().replace(str(small_set), str(tmp_path / "gone")))
    with pytest.raises(FramelightError, match="is no longer in .*gone"):
        harness.find_run("best:expr", moved).labels  # noqa: B018
    labels = harness.find_run("best:expr", moved, data=small_set).labels
    assert labels.equals(harness.find_run("best:expr", store).labels) and labels["expression"].notna().any()
    with pytest.raises(InputError, match="no such data folder"):
        harness.find_run("best:expr", moved, data=tmp_path / "gone")


def test_missing_files_of_a_run_raise(store, tmp_path):
    other = Path(shutil.copytree(store, tmp_path / "store"))
    shutil.rmtree(harness.find_run("best:au", other).folder)
    with pytest.raises(InputError, match="are not in .* is missing.; name the store that it ran in"):
        harness.find_run("best:au", other)


def test_recipe_is_run_by_path_with_settings_and_gives_its_boards(store, small_set, tmp_path):
    again = harness.run(write_recipe(tmp_path), small_set, store, jobs=1)
    assert (again.computed, again.failures, again.lost) == (0, [], None) and again.cached > 0
    assert "already finished" in repr(again)
    assert again.boards["run_id"].tolist() == harness.leaderboard(store)["run_id"].tolist()
    with pytest.raises(InputError, match="unknown key in --set 'epohcs'; did you mean"):
        harness.run(write_recipe(tmp_path), small_set, store, settings=["epohcs=3"])
    with pytest.raises(InputError, match="unknown recipe 'quickstat'; did you mean quickstart"):
        harness.run("quickstat", store=store)
    with pytest.raises(InputError, match="trains a backbone"):
        harness.run("light_both", store=store)


def test_comparison_prints_as_the_command_does(store, capsys):
    first, second = harness.leaderboard(store, "expr")["run_id"][:2]
    main(["compare", first, second, "--store", str(store)])
    assert str(harness.compare(first, second, store)) + "\n" == capsys.readouterr().out
    assert np.isfinite(harness.compare(first, second, store).metric.paired.p)
