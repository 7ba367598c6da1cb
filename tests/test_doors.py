"""mlflow, optuna and pytorch_lightning are imported by one module each."""

import ast
from pathlib import Path

import pytest

PARTS = ("harness", "backbones", "experiments")
HOME = Path(__file__).resolve().parents[1]
DOORS = {
    "mlflow": "harness/tracking/mlflow_api.py",
    "optuna": "harness/runner/search.py",
    "pytorch_lightning": "harness/training/lightning_module.py",
}


def importers(library):
    """Files that import it, anywhere in them."""
    for path in (file for part in PARTS for file in (HOME / part).rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if library in text else ():
            named = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            if any(name.split(".")[0] == library for name in named):
                yield str(path.relative_to(HOME))


@pytest.mark.parametrize("library", DOORS)
def test_library_is_imported_by_one_module(library):
    assert set(importers(library)) == {DOORS[library]}
