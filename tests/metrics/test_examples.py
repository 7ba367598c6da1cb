"""Doctests of the metrics."""

import doctest
import importlib
import pkgutil

import pytest

from harness import metrics


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(metrics.__path__)])
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(f"{metrics.__name__}.{name}")).failed == 0


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(metrics, name).__doc__
