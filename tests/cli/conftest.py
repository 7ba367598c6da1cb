"""A backbone that the command has trained once, for all tests that look at it."""

import shutil

import pytest

from harness.cli import main
from tests import small
from tests.cli.submitting import RECIPE as FOUR
from tests.cli.training import (
    RECIPE,
)
from tests.pretraining.drawing import draw


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """An image table of 96 drawn stills."""
    return draw(tmp_path_factory.mktemp("stills") / "faces").root


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """The recipe's file."""
    path = tmp_path_factory.mktemp("recipe") / "drawn.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def trained(table, drawn, tmp_path_factory):
    """A store in which the recipe was trained without interruption, and what the command said."""
    store = tmp_path_factory.mktemp("trained") / "store"
    done = small.framelight("train-backbone", drawn, "--data", table, "--store", store)
    assert done.returncode == 0, done.stderr
    return store, done


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of that store, to be changed."""
    shutil.copytree(trained[0], tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture(scope="session")
def readers(small_set, tmp_path_factory):
    """A store in which the four challenges have run, all on one backbone."""
    folder = tmp_path_factory.mktemp("readers")
    run = ["run", small.write_recipe(folder, FOUR), "--data", small_set, "--store", folder / "store", "--jobs", 1,
           "--set", "seeds=0"]
    assert main([str(word) for word in run]) == 0
    return folder / "store"
