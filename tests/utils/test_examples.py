"""Doctests of the helpers."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["errors", "hashing", "names", "plotting.style", "streams", "text"])
def test_examples_in_docstrings_are_true(name):
    tested = doctest.testmod(importlib.import_module(f"harness.utils.{name}"))
    assert tested.attempted and not tested.failed
