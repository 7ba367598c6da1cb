"""Imports run downwards through the layers, including those inside functions."""

import ast
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
LAYERS = (
    {"utils", "metrics", "smoothing"},
    {"data", "video"},
    {"features", "training", "tracking"},
    {"jobs"},
    {"runner"},
    {"leaderboard"},
    {"export"},
    {"inference"},
    {"bench"},
    {"cli"},
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in sorted(packages)}
BESIDE = {("smoothing", "metrics"), ("smoothing", "utils"), ("metrics", "utils"), ("video", "data")}
"""Packages that may import another one of their own layer."""
LISTS_RECIPES = "harness/runner/loader.py"
"""The one module that looks up: it lists the recipes in experiments/ by name."""
CORE = {"numpy", "scipy", "bottleneck", "threadpoolctl"}
FILES = sorted((HOME / "harness").rglob("*.py"))


def imports(path):
    """(line, module) of every import of a file, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "harness" else []
            yield from ((node.lineno, name) for name in whole or [node.module])


def package(path):
    return path.relative_to(HOME / "harness").parts[0]


def test_harness_holds_packages_and_no_loose_module():
    loose = {path.name for path in (HOME / "harness").iterdir() if path.is_file()}
    folders = {path.name for path in (HOME / "harness").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert loose == {"README.md", "__init__.py", "py.typed"} and folders == set(LAYER)


@pytest.mark.parametrize("name", LAYER)
def test_imports_run_downwards(name):
    wrong = []
    for path in FILES:
        if package(path) == name:
            for line, module in imports(path):
                parts = module.split(".")
                if parts[0] == "harness":
                    other = parts[1]
                    allowed = other == name or LAYER[other] < LAYER[name] or (name, other) in BESIDE
                else:
                    allowed = parts[0] != "experiments" or str(path.relative_to(HOME)) == LISTS_RECIPES
                if not allowed:
                    wrong.append(f"{path.relative_to(HOME)}:{line} imports {module}")
    assert not wrong


@pytest.mark.parametrize("name", ["metrics", "smoothing"])
def test_core_needs_numpy_alone(name):
    modules = {module for path in FILES if package(path) == name for _, module in imports(path)}
    ours = {module for module in modules if module.startswith("harness.")}
    libraries = {module.split(".")[0] for module in modules - ours}
    import sys

    assert libraries - set(sys.stdlib_module_names) <= CORE
    assert {module for module in ours if not module.startswith(("harness.metrics", "harness.smoothing"))} <= {
        "harness.utils.errors",
        "harness.utils.parallel",
        "harness.utils.validation",
    }


@pytest.mark.parametrize("name", ["backbones"])
def test_backbones_does_not_import_harness(name):
    for path in (HOME / name).rglob("*.py"):
        assert not [module for _, module in imports(path) if module.split(".")[0] in ("harness", "experiments")], path
