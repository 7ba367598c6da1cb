"""Doctests of the public functions of `backbones`."""

import doctest
import inspect

import pytest

import backbones


@pytest.mark.parametrize("name", [name for name in backbones.__all__ if inspect.isfunction(getattr(backbones, name))])
def test_example_is_correct(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(backbones, name), name, globs={})
    report = []
    result = doctest.DocTestRunner().run(example, out=report.append)
    assert not result.failed, "".join(report)
