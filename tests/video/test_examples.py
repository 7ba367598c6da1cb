"""Doctests of the video functions."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["video.faces.boxes", "data.orientation"])
def test_examples_in_docstrings_are_true(name):
    tested = doctest.testmod(importlib.import_module(f"harness.{name}"))
    assert tested.attempted and not tested.failed
