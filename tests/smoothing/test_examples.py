"""Doctests of the smoothing functions."""

import doctest
import importlib
import pkgutil

import pytest

from harness import smoothing


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(smoothing.__path__)])
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(f"{smoothing.__name__}.{name}")).failed == 0


@pytest.mark.parametrize("name", [name for name in smoothing.__all__ if callable(getattr(smoothing, name))])
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(smoothing, name).__doc__
