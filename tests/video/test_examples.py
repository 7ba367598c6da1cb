"""Doctests of the video functions."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["faces.boxes", "orientation"])
def test_examples_in_docstrings_are_true(name):
    tested = doctest.testmod(importlib.import_module(f"harness.video.{name}"))
    assert tested.attempted and not tested.failed
